"""Fetching an offering."""

from typing import Any

import pytest
from msgspec import Raw
from tests.support.channels import Failure, ScriptedChannel

from onemcp.core.offering import Listing, Offering
from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.connection import Connection
from onemcp.upstream.listing import MAX_ITEMS, fetch
from onemcp.wire.envelope import open_object

pytestmark = pytest.mark.anyio

ALL = {"tools": Raw(b'{"listChanged": true}'), "prompts": Raw(b"{}"), "resources": Raw(b"{}")}


async def offering(script: dict[str, Any], capabilities: dict[str, Raw] = ALL) -> Offering:
    channel = ScriptedChannel(script, lambda _: None)
    return await fetch(Connection(channel, "2025-11-25", capabilities, Raw(b"{}"), "hello"), 5.0)


def tool(name: object) -> dict[str, object]:
    return {"name": name, "inputSchema": {}}


async def test_all_four_lists_are_taken_over() -> None:
    found = await offering(
        {
            "tools/list": {"tools": [tool("t")]},
            "prompts/list": {"prompts": [{"name": "p"}]},
            "resources/list": {"resources": [{"uri": "r://1", "name": "r"}]},
            "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "r://{x}", "name": "r"}]},
        }
    )
    assert [found.items(listing)[0].key for listing in Listing] == ["t", "p", "r://1", "r://{x}"]
    assert found.instructions == "hello"
    assert found.warnings == ()


async def test_what_is_not_declared_is_not_asked_for() -> None:
    channel = ScriptedChannel({}, lambda _: None)
    found = await fetch(Connection(channel, "2025-11-25", {}, Raw(b"{}")), 5.0)
    assert found == Offering({}, "", 60_000)
    assert channel.asked == []


async def test_pages_are_followed_to_the_end() -> None:
    def page(request: Any) -> object:
        cursor = int(bytes(open_object(request.params).get("cursor", b'"0"')).decode().strip('"'))
        more = {"nextCursor": str(cursor + 1)} if cursor < 4 else {}
        return {"tools": [tool(f"t{cursor}")], **more}

    found = await offering({"tools/list": page}, {"tools": ALL["tools"]})
    assert [item.key for item in found.items(Listing.TOOLS)] == ["t0", "t1", "t2", "t3", "t4"]


async def test_a_cursor_that_repeats_ends_the_walk_with_a_warning() -> None:
    found = await offering(
        {"tools/list": {"tools": [tool("t")], "nextCursor": "again"}}, {"tools": ALL["tools"]}
    )
    assert len(found.items(Listing.TOOLS)) == 2
    assert "does not end" in found.warnings[0]


async def test_an_endless_list_is_cut_within_bounds() -> None:
    count = 0

    def page(_: object) -> object:
        nonlocal count
        count += 1
        return {"tools": [tool(f"{count}.{number}") for number in range(1000)], "nextCursor": str(count)}

    found = await offering({"tools/list": page}, {"tools": ALL["tools"]})
    assert len(found.items(Listing.TOOLS)) == MAX_ITEMS
    assert "does not end" in found.warnings[0]


async def test_a_list_that_fails_costs_only_itself() -> None:
    found = await offering(
        {
            "tools/list": {"tools": [tool("t")]},
            "prompts/list": Failure(-32603, "boom"),
            "resources/list": {"resources": []},
        }
    )
    assert [item.key for item in found.items(Listing.TOOLS)] == ["t"]
    assert found.warnings == ("prompts/list failed: -32603 boom",)


async def test_an_upstream_that_stops_answering_fails_the_whole() -> None:
    with pytest.raises(UpstreamError):
        await offering(
            {"tools/list": UpstreamError("s", Reason.TIMEOUT, "no answer")}, {"tools": ALL["tools"]}
        )


async def test_bad_entries_are_left_out_with_a_warning() -> None:
    found = await offering({"tools/list": {"tools": [1, tool(2), {}, tool("good")]}}, {"tools": ALL["tools"]})
    assert [item.key for item in found.items(Listing.TOOLS)] == ["good"]
    assert len(found.warnings) == 3


async def test_a_tool_without_a_schema_does_not_break_the_list_for_clients() -> None:
    found = await offering(
        {"tools/list": {"tools": [{"name": "t", "inputSchema": None}]}}, {"tools": ALL["tools"]}
    )
    assert found.items(Listing.TOOLS)[0].raw == b'{"name":"t","inputSchema":{"type":"object"}}'


async def test_an_invalid_header_annotation_takes_the_tool_out() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "bad header"}}}
    found = await offering(
        {"tools/list": {"tools": [{"name": "t", "inputSchema": schema}, tool("u")]}}, {"tools": ALL["tools"]}
    )
    assert [item.key for item in found.items(Listing.TOOLS)] == ["u"]
    assert '"t" is left out' in found.warnings[0]


async def test_freshness_is_the_shortest_that_any_list_allows() -> None:
    found = await offering(
        {
            "tools/list": {"tools": [], "ttlMs": 500},
            "prompts/list": {"prompts": [], "ttlMs": 300},
            "resources/list": {"resources": []},
            "resources/templates/list": {"resourceTemplates": []},
        }
    )
    assert found.ttl_ms == 300
