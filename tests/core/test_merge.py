"""Who is listed under which name."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.catalog import Catalog, Claim
from onemcp.core.merge import VERBATIM, NamePolicy, Naming, Shelf, merge, relisted
from onemcp.core.offering import Item, Listing, Offering
from onemcp.wire.envelope import encode, open_object

ALWAYS = Naming()
ON_CONFLICT = Naming(NamePolicy.ON_CONFLICT)
NEVER = Naming(NamePolicy.NEVER)


def tool(name: str, **more: object) -> Item:
    return Item(name, encode({"name": name, "inputSchema": {"type": "object"}, **more}))


def shelf(upstream: str, *names: str, uris: tuple[str, ...] = (), templates: tuple[str, ...] = ()) -> Shelf:
    return Shelf(
        upstream,
        Offering(
            {
                Listing.TOOLS: tuple(tool(name) for name in names),
                Listing.RESOURCES: tuple(Item(uri, encode({"uri": uri, "name": uri})) for uri in uris),
                Listing.TEMPLATES: tuple(
                    Item(uri, encode({"uriTemplate": uri, "name": uri})) for uri in templates
                ),
            }
        ),
    )


def listed(catalog: Catalog, listing: Listing = Listing.TOOLS) -> list[str]:
    return [entry.listed for entry in catalog.select(listing, None)]


def target(catalog: Catalog, name: str, listing: Listing = Listing.TOOLS) -> tuple[str, str] | None:
    route = catalog.route(listing, name)
    return (route.upstream, route.key) if route else None


def test_always_puts_the_server_in_front() -> None:
    catalog = merge([shelf("time", "now"), shelf("git", "log", "now")], ALWAYS, {})
    assert listed(catalog) == ["time_1mcp_now", "git_1mcp_log", "git_1mcp_now"]
    assert target(catalog, "git_1mcp_now") == ("git", "now")
    assert target(catalog, "now") is None


def test_an_ambiguous_bare_name_says_what_to_use_instead() -> None:
    catalog = merge([shelf("time", "now"), shelf("git", "now")], ALWAYS, {})
    assert catalog.candidates[Listing.TOOLS]["now"] == ("time_1mcp_now", "git_1mcp_now")


def test_on_conflict_prefixes_only_what_several_have() -> None:
    catalog = merge([shelf("time", "now"), shelf("git", "log", "now")], ON_CONFLICT, {})
    assert listed(catalog) == ["time_1mcp_now", "log", "git_1mcp_now"]
    assert target(catalog, "log") == ("git", "log")
    assert target(catalog, "git_1mcp_log") == ("git", "log"), "the prefixed name always leads somewhere"


def test_a_bare_name_never_changes_its_target() -> None:
    first = merge([shelf("time", "now")], ON_CONFLICT, {})
    assert listed(first) == ["now"]
    both = merge([shelf("time", "now"), shelf("git", "now")], ON_CONFLICT, first.claims)
    assert target(both, "now") is None
    other = merge([shelf("git", "now")], ON_CONFLICT, both.claims)
    assert listed(other) == ["git_1mcp_now"]
    back = merge([shelf("time", "now")], ON_CONFLICT, other.claims)
    assert listed(back) == ["now"]


def test_never_lists_the_first_owner_and_tells_of_the_others() -> None:
    catalog = merge([shelf("time", "now"), shelf("git", "now")], NEVER, {})
    assert listed(catalog) == ["now"]
    assert target(catalog, "now") == ("time", "now")
    assert catalog.warnings == ('git: "now" (tools) is not listed: another server has that name',)


def test_a_long_name_is_shortened_told_and_still_routed() -> None:
    name = "n" * 80
    catalog = merge([shelf("time", name)], ALWAYS, {})
    (short,) = listed(catalog)
    assert len(short) == 64
    assert target(catalog, short) == ("time", name)
    assert "too long" in catalog.warnings[0]
    assert listed(merge([shelf("time", name)], ALWAYS, {})) == [short]


def test_one_upstream_alone_keeps_all_names_and_uris() -> None:
    catalog = merge([shelf("time", "now", uris=("a://b",))], VERBATIM, {})
    assert listed(catalog) == ["now"]
    assert listed(catalog, Listing.RESOURCES) == ["a://b"]


def test_a_disabled_tool_is_neither_listed_nor_routed() -> None:
    catalog = merge(
        [Shelf("time", shelf("time", "now", "zone").offering.without(frozenset({"zone"})))], ALWAYS, {}
    )
    assert listed(catalog) == ["time_1mcp_now"]
    assert target(catalog, "time_1mcp_zone") is None


def test_a_unique_uri_is_verbatim_and_a_shared_one_is_qualified_for_all() -> None:
    catalog = merge([shelf("a", uris=("x://1", "x://2")), shelf("b", uris=("x://2",))], ALWAYS, {})
    assert listed(catalog, Listing.RESOURCES) == ["x://1", "onemcp://a/x://2", "onemcp://b/x://2"]
    assert target(catalog, "onemcp://b/x://2", Listing.RESOURCES) == ("b", "x://2")
    assert catalog.candidates[Listing.RESOURCES]["x://2"] == ("onemcp://a/x://2", "onemcp://b/x://2")
    relist = relisted(catalog, "b")
    assert relist is not None
    assert relist("x://2") == "onemcp://b/x://2"
    assert relisted(merge([shelf("a", uris=("x://1",))], ALWAYS, {}), "a") is None


def test_a_uri_is_matched_against_the_templates() -> None:
    catalog = merge([shelf("a", templates=("log://{day}",)), shelf("b", templates=("x://{id}",))], ALWAYS, {})
    assert [route.upstream for route in catalog.match("x://7", None)] == ["b"]
    assert catalog.match("x://7", frozenset({"a"})) == []


def test_a_view_selects_the_entries_of_its_upstreams() -> None:
    catalog = merge([shelf("time", "now"), shelf("git", "log")], ALWAYS, {})
    assert [entry.listed for entry in catalog.select(Listing.TOOLS, frozenset({"git"}))] == ["git_1mcp_log"]


def test_unknown_fields_stay_where_they_were_in_a_renamed_tool() -> None:
    item = Item("now", b'{"vendor":{"x":1e400},"name":"now","inputSchema":{},"zzz":[1, 2]}')
    catalog = merge([Shelf("time", Offering({Listing.TOOLS: (item,)}))], ALWAYS, {})
    (entry,) = catalog.select(Listing.TOOLS, None)
    assert entry.fragment == b'{"vendor":{"x":1e400},"name":"time_1mcp_now","inputSchema":{},"zzz":[1, 2]}'


def test_a_tool_s_user_interface_follows_its_resource() -> None:
    def with_ui(upstream: str) -> Shelf:
        ui = {"ui": {"resourceUri": "ui://chart", "csp": {}}, "other": 1}
        resource = Item("ui://chart", b'{"uri":"ui://chart","name":"c"}')
        return Shelf(
            upstream, Offering({Listing.TOOLS: (tool("t", _meta=ui),), Listing.RESOURCES: (resource,)})
        )

    alone = merge([with_ui("a")], ALWAYS, {}).select(Listing.TOOLS, None)[0]
    assert b'"resourceUri":"ui://chart"' in alone.fragment
    both = merge([with_ui("a"), with_ui("b")], ALWAYS, {}).select(Listing.TOOLS, None)
    assert b'"_meta":{"ui":{"resourceUri":"onemcp://b/ui://chart","csp":{}},"other":1}' in both[1].fragment


names = st.text("abc", min_size=1, max_size=3)
shelves = st.dictionaries(st.sampled_from(["s1", "s2", "s3"]), st.lists(names, max_size=4), max_size=3)


@given(st.lists(shelves, min_size=1, max_size=5), st.sampled_from(NamePolicy))
def test_in_any_history_a_listed_name_leads_to_one_tool_for_ever(
    history: list[dict[str, list[str]]], policy: NamePolicy
) -> None:
    claims: dict[Claim, str] = {}
    known: dict[str, tuple[str, str]] = {}
    for moment in history:
        catalog = merge([shelf(name, *tools) for name, tools in moment.items()], Naming(policy), claims)
        claims = dict(catalog.claims)
        shown = listed(catalog)
        assert len(shown) == len(set(shown))
        for entry in catalog.select(Listing.TOOLS, None):
            led = target(catalog, entry.listed)
            assert led is not None
            assert known.setdefault(entry.listed, led) == led
            assert bytes(open_object(entry.fragment)["name"]) == encode(entry.listed)


@given(shelves)
def test_nothing_offered_is_lost_under_the_default_policy(moment: dict[str, list[str]]) -> None:
    catalog = merge([shelf(name, *tools) for name, tools in moment.items()], ALWAYS, {})
    expected = [(name, tool) for name, tools in moment.items() for tool in dict.fromkeys(tools)]
    assert [target(catalog, name) for name in listed(catalog)] == expected
