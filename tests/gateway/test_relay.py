"""From a name to the upstream that offers it, and back."""

import asyncio
import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import Failure, Upstreams, handshake, spec, stateless

from onemcp.core.access import View
from onemcp.core.merge import NamePolicy, Naming
from onemcp.core.tags import simple
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.sessions import Sessions
from onemcp.seal.keyring import Keyring
from onemcp.wire.envelope import ABSENT, Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

HANDSHAKE = CallContext(Era.HANDSHAKE, "2025-11-25", View())
STATELESS = CallContext(Era.STATELESS, "2026-07-28", View())
RESOURCES: dict[str, object] = {"resources": {}, "tools": {}}


async def ask(runtime: Runtime, method: str, params: object, ctx: CallContext = HANDSHAKE) -> Any:
    """The result, or the error that the upstream answered."""
    envelope = Envelope("2.0", method=method, params=Raw(encode(params)))
    reply = await Dispatcher(runtime).dispatch(ctx, envelope)
    return json.loads(bytes(reply.result if reply.error is ABSENT else reply.error))


def with_resources(*uris: str, templates: Any = (), **more: Any) -> dict[str, Any]:
    script = handshake("t", **more)
    script["initialize"] = {**script["initialize"], "capabilities": RESOURCES}
    script["resources/list"] = {"resources": [{"uri": uri, "name": "r"} for uri in uris]}
    script["resources/templates/list"] = {
        "resourceTemplates": [{"uriTemplate": t, "name": "r"} for t in templates]
    }
    script["resources/read"] = more.get("resources/read") or (
        lambda request: {"contents": [{"uri": json.loads(request.params)["uri"], "text": "from here"}]}
    )
    return script


async def test_a_call_reaches_its_upstream_under_the_upstream_s_name(running: Running) -> None:
    async with running(Upstreams(a=handshake("echo"), b=handshake("echo"))) as runtime:
        result = await ask(runtime, "tools/call", {"name": "b_1mcp_echo", "arguments": {"x": 1}})
    assert result["echo"] == {"name": "echo", "arguments": {"x": 1}}


async def test_unknown_members_everywhere_arrive_as_they_were(running: Running) -> None:
    upstreams = Upstreams(a=handshake("echo"))
    params = '{"zzz":[1.0, 1e2],"name":"a_1mcp_echo","arguments":{"v":1.50,"n":{"deep":null}},"_meta":{"vendor/x":1e400}}'
    async with running(upstreams) as runtime:
        await Dispatcher(runtime).dispatch(
            HANDSHAKE, Envelope("2.0", method="tools/call", params=Raw(params.encode()))
        )
    assert upstreams.last("a").asked[-1].params == params.replace("a_1mcp_echo", "echo").encode()


@pytest.mark.parametrize("name", ["nobody_1mcp_echo", "echo", "", "a_1mcp_other"])
async def test_a_name_that_leads_nowhere_is_an_error_that_says_so(running: Running, name: str) -> None:
    async with running(Upstreams(a=handshake("echo"))) as runtime:
        with pytest.raises(RpcError, match="Unknown tool") as caught:
            await ask(runtime, "tools/call", {"name": name})
    assert caught.value.code == -32602


async def test_a_bare_name_is_answered_with_the_listed_ones(running: Running) -> None:
    async with running(Upstreams(a=handshake("echo"), b=handshake("echo"))) as runtime:
        with pytest.raises(RpcError, match=r"did you mean a_1mcp_echo or b_1mcp_echo\?"):
            await ask(runtime, "tools/call", {"name": "echo"})


@pytest.mark.parametrize("params", [{}, {"name": 1}, {"name": None}])
async def test_a_call_without_a_name_is_invalid(running: Running, params: object) -> None:
    async with running(Upstreams(a=handshake("echo"))) as runtime:
        with pytest.raises(RpcError, match='"name" must be a string'):
            await ask(runtime, "tools/call", params)


async def test_the_upstream_s_error_reaches_the_client_as_it_is(running: Running) -> None:
    script = handshake("echo", **{"tools/call": Failure(-32050, "vendor", {"x": 1})})
    async with running(Upstreams(a=script)) as runtime:
        error = await ask(runtime, "tools/call", {"name": "a_1mcp_echo"})
    assert error == {"code": -32050, "message": "vendor", "data": {"x": 1}}


async def test_a_dead_upstream_is_named_with_its_reason(running: Running) -> None:
    died = UpstreamError("a", Reason.EXITED, "exited with status 3")
    async with running(Upstreams(a=handshake("echo", **{"tools/call": died}))) as runtime:
        with pytest.raises(RpcError, match="a: exited with status 3") as caught:
            await ask(runtime, "tools/call", {"name": "a_1mcp_echo"})
    assert caught.value.data == {"reason": "upstream_exited", "server": "a"}


async def test_a_call_that_may_have_run_is_not_tried_again(running: Running) -> None:
    calls: list[object] = []

    def die(request: object) -> object:
        calls.append(request)
        upstreams.last("a").die()
        return UpstreamError("a", Reason.EXITED, "exited")

    upstreams = Upstreams(a=handshake("echo", **{"tools/call": die}))
    async with running(upstreams) as runtime:
        with pytest.raises(RpcError):
            await ask(runtime, "tools/call", {"name": "a_1mcp_echo"})
    assert len(calls) == 1


async def test_a_call_that_cannot_have_run_waits_for_the_next_connection(running: Running) -> None:
    upstreams = Upstreams(a=handshake("echo"))
    async with running(upstreams) as runtime:
        upstreams.last("a").die()
        result = await ask(runtime, "tools/call", {"name": "a_1mcp_echo", "arguments": {}})
    assert result["echo"]["name"] == "echo"
    assert len(upstreams.channels["a"]) == 2


async def test_a_call_to_an_upstream_that_is_starting_waits_for_it(running: Running) -> None:
    gate = asyncio.Event()

    async def slow(_: object) -> object:
        await gate.wait()
        return handshake("echo")["tools/list"]

    async with running(Upstreams(a=handshake("echo", **{"tools/list": slow})), settle=False) as runtime:
        call = asyncio.ensure_future(ask(runtime, "tools/call", {"name": "a_1mcp_echo", "arguments": {}}))
        gate.set()
        assert (await call)["echo"]["name"] == "echo"


async def test_a_call_to_one_that_never_starts_says_which_and_in_what_state(running: Running) -> None:
    async def never(_: object) -> object:
        return await asyncio.Event().wait()

    upstreams = Upstreams(a=handshake(initialize=never))
    async with running(upstreams, settle=False, call_wait=0.01) as runtime:
        with pytest.raises(RpcError, match=r"a: is not ready \(connecting\)"):
            await ask(runtime, "tools/call", {"name": "a_1mcp_echo"})


async def test_a_view_hides_an_upstream_from_calls_as_from_lists(running: Running) -> None:
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"}))]
    view = CallContext(Era.HANDSHAKE, "2025-11-25", View(simple("web")))
    async with running(Upstreams(a=handshake("echo"), b=handshake("echo")), specs=specs) as runtime:
        listed = await ask(runtime, "tools/list", {}, view)
        assert [tool["name"] for tool in listed["tools"]] == ["a_1mcp_echo"]
        with pytest.raises(RpcError, match=r"Unknown tool: b_1mcp_echo$"):
            await ask(runtime, "tools/call", {"name": "b_1mcp_echo"}, view)
        with pytest.raises(RpcError, match=r"did you mean a_1mcp_echo\?"):
            await ask(runtime, "tools/call", {"name": "echo"}, view)


async def test_one_upstream_alone_is_called_by_its_own_names(running: Running) -> None:
    alone = CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="b")
    async with running(Upstreams(a=handshake("echo"), b=handshake("echo"))) as runtime:
        result = await ask(runtime, "tools/call", {"name": "echo", "arguments": {}}, alone)
        assert result["echo"]["name"] == "echo"
        with pytest.raises(RpcError, match="No server is called nobody"):
            await ask(
                runtime, "tools/list", {}, CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="nobody")
            )


async def test_a_stateless_client_on_a_handshake_upstream(running: Running) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    async with running(Upstreams(a=handshake("echo"))) as runtime:
        result = await ask(runtime, "tools/call", {"name": "a_1mcp_echo", "_meta": meta}, STATELESS)
    assert result["resultType"] == "complete"
    assert result["echo"] == {"name": "echo"}


async def test_a_handshake_client_on_a_stateless_upstream(running: Running) -> None:
    answer = {"resultType": "complete", "content": [], "vendor": 1}
    upstreams = Upstreams(a=stateless("echo", **{"tools/call": answer}))
    async with running(upstreams) as runtime:
        result = await ask(runtime, "tools/call", {"name": "a_1mcp_echo"})
    assert result == {"content": [], "vendor": 1}
    meta = json.loads(upstreams.last("a").asked[-1].params)["_meta"]
    assert meta["io.modelcontextprotocol/clientInfo"] == {"name": "onemcp", "version": "0"}


async def test_a_resource_is_read_where_it_is_listed_else_where_a_template_fits(running: Running) -> None:
    upstreams = Upstreams(a=with_resources("x://1"), b=with_resources(templates=("y://{id}",)))
    async with running(upstreams) as runtime:
        assert (await ask(runtime, "resources/read", {"uri": "x://1"}))["contents"][0]["uri"] == "x://1"
        assert (await ask(runtime, "resources/read", {"uri": "y://7"}))["contents"][0]["uri"] == "y://7"
    assert [len([r for r in upstreams.last(n).asked if r.method == "resources/read"]) for n in "ab"] == [1, 1]


async def test_a_colliding_uri_is_read_and_answered_under_its_listed_name(running: Running) -> None:
    upstreams = Upstreams(a=with_resources("x://1"), b=with_resources("x://1"))
    async with running(upstreams) as runtime:
        listed = await ask(runtime, "resources/list", {})
        assert [r["uri"] for r in listed["resources"]] == ["onemcp://a/x://1", "onemcp://b/x://1"]
        result = await ask(runtime, "resources/read", {"uri": "onemcp://b/x://1"})
        assert result["contents"] == [{"uri": "onemcp://b/x://1", "text": "from here"}]
        with pytest.raises(RpcError, match=r"did you mean onemcp://a/x://1 or onemcp://b/x://1\?") as caught:
            await ask(runtime, "resources/read", {"uri": "x://1"})
    assert caught.value.code == -32002


async def test_links_in_a_tool_s_result_follow_the_listed_uris(running: Running) -> None:
    content = [
        {"type": "resource_link", "uri": "x://1", "name": "l"},
        {"type": "resource", "resource": {"uri": "x://1"}},
    ]
    upstreams = Upstreams(
        a=with_resources("x://1", **{"tools/call": {"content": content}}), b=with_resources("x://1")
    )
    async with running(upstreams) as runtime:
        result = await ask(runtime, "tools/call", {"name": "a_1mcp_t"})
    assert result["content"][0]["uri"] == "onemcp://a/x://1"
    assert result["content"][1]["resource"]["uri"] == "onemcp://a/x://1"


async def test_a_link_that_nobody_lists_is_read_where_it_came_from(running: Running) -> None:
    link = {"content": [{"type": "resource_link", "uri": "hidden://7", "name": "l"}]}
    upstreams = Upstreams(a=with_resources(), b=with_resources(**{"tools/call": link}))
    session = Sessions(Keyring.ephemeral()).open("2025-11-25", "", Raw(b"{}"), 0.0)
    ctx = CallContext(Era.HANDSHAKE, "2025-11-25", View(), session)
    async with running(upstreams) as runtime:
        with pytest.raises(RpcError, match="Unknown resource"):
            await ask(runtime, "resources/read", {"uri": "hidden://7"}, ctx)
        await ask(runtime, "tools/call", {"name": "b_1mcp_t"}, ctx)
        result = await ask(runtime, "resources/read", {"uri": "hidden://7"}, ctx)
        assert result["contents"][0]["uri"] == "hidden://7"
        named = await ask(runtime, "resources/read", {"uri": "onemcp://b/other://1"})
        assert named["contents"][0]["uri"] == "other://1"
        with pytest.raises(RpcError, match="Unknown resource"):
            await ask(runtime, "resources/read", {"uri": "onemcp://nobody/other://1"})


async def test_one_upstream_alone_judges_its_uris_itself(running: Running) -> None:
    alone = CallContext(Era.HANDSHAKE, "2025-11-25", View(), endpoint="a")
    script = with_resources(**{"resources/read": Failure(-32002, "no such thing")})
    async with running(Upstreams(a=script)) as runtime:
        assert (await ask(runtime, "resources/read", {"uri": "any://1"}, alone))["message"] == "no such thing"


@pytest.mark.parametrize(("ctx", "code"), [(HANDSHAKE, -32002), (STATELESS, -32602)])
async def test_an_unknown_resource_has_the_code_of_the_era(
    running: Running, ctx: CallContext, code: int
) -> None:
    async with running(Upstreams(a=with_resources())) as runtime:
        with pytest.raises(RpcError, match="Unknown resource") as caught:
            await ask(runtime, "resources/read", {"uri": "no://1"}, ctx)
    assert (caught.value.code, caught.value.data) == (code, {"uri": "no://1"})


async def test_completion_asks_the_upstream_of_the_prompt_or_template(running: Running) -> None:
    script = with_resources(templates=("y://{id}",))
    script["initialize"]["capabilities"] = {"prompts": {}, "resources": {}}
    script["prompts/list"] = {"prompts": [{"name": "p"}]}
    script["completion/complete"] = lambda request: {
        "completion": {"values": []},
        "ref": json.loads(request.params)["ref"],
    }
    async with running(Upstreams(a=script)) as runtime:
        for ref, seen in (
            ({"type": "ref/prompt", "name": "a_1mcp_p"}, {"type": "ref/prompt", "name": "p"}),
            ({"type": "ref/resource", "uri": "y://{id}"}, {"type": "ref/resource", "uri": "y://{id}"}),
        ):
            result = await ask(
                runtime, "completion/complete", {"ref": ref, "argument": {"name": "id", "value": ""}}
            )
            assert result["ref"] == seen


async def test_header_parameters_must_agree_with_the_arguments(running: Running) -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    script = stateless(**{"tools/list": {"tools": [{"name": "t", "inputSchema": schema}]}})
    upstreams = Upstreams(a=script)
    params = {"name": "a_1mcp_t", "arguments": {"region": "eu"}}
    async with running(upstreams) as runtime:
        good = CallContext(Era.STATELESS, "2026-07-28", View(), headers={b"mcp-param-region": b"eu"})
        await ask(runtime, "tools/call", params, good)
        assert upstreams.last("a").asked[-1].headers == (("Mcp-Param-Region", "eu"),)
        bad = CallContext(Era.STATELESS, "2026-07-28", View(), headers={b"mcp-param-region": b"us"})
        with pytest.raises(RpcError) as caught:
            await ask(runtime, "tools/call", params, bad)
    assert caught.value.code == -32020


async def test_under_on_conflict_unique_names_are_called_bare(running: Running) -> None:
    naming = Naming(NamePolicy.ON_CONFLICT)
    async with running(Upstreams(a=handshake("echo")), naming=naming) as runtime:
        assert (await ask(runtime, "tools/call", {"name": "echo", "arguments": {}}))["echo"]["name"] == "echo"


async def test_a_prefixed_name_routes_before_the_first_offering_under_any_policy(running: Running) -> None:
    upstreams = Upstreams(a=handshake("echo"))
    naming = Naming(NamePolicy.ON_CONFLICT)
    async with running(upstreams, naming=naming, settle=False) as runtime:
        result = await ask(runtime, "tools/call", {"name": "a_1mcp_echo", "arguments": {}})
    assert result["echo"]["name"] == "echo"


@pytest.mark.parametrize("answer", [5, None, "text", [1]])
async def test_an_answer_that_is_no_object_is_the_upstream_s_fault(running: Running, answer: object) -> None:
    async with running(Upstreams(a=handshake("t", **{"tools/call": lambda _: answer}))) as runtime:
        with pytest.raises(RpcError, match="a: answered with what is no object") as caught:
            await ask(runtime, "tools/call", {"name": "a_1mcp_t"}, STATELESS)
    assert caught.value.code == -32603


async def test_a_hidden_server_s_uri_does_not_hide_a_visible_server_s_template(running: Running) -> None:
    specs = [spec("a"), spec("b", tags=frozenset({"web"}))]
    upstreams = Upstreams(a=with_resources("x://1"), b=with_resources(templates=("x://{id}",)))
    web = CallContext(Era.HANDSHAKE, "2025-11-25", View(simple("web")))
    async with running(upstreams, specs=specs) as runtime:
        await ask(runtime, "resources/read", {"uri": "x://1"}, web)
    assert [r.method for r in upstreams.last("b").asked].count("resources/read") == 1
