"""Progress reaches the call that it belongs to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import Upstreams, handshake

from onemcp.core.access import View
from onemcp.gateway.backchannel import Backchannel
from onemcp.gateway.context import CallContext
from onemcp.gateway.dispatch import Dispatcher
from onemcp.upstream.channel import Request
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


def progress(token: object, **more: object) -> Envelope:
    params = {"progressToken": token, "progress": 1, **more}
    return Envelope("2.0", method="notifications/progress", params=Raw(encode(params)))


def test_a_token_is_ours_on_the_one_side_and_the_client_s_on_the_other() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    with backchannel.watching("a", heard.append, Raw(b'"mine"')) as own:
        backchannel.take("a", progress(int(bytes(own)), message="half", vendor={"x": 1}))
    assert json.loads(heard[0]) == {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": "mine", "progress": 1, "message": "half", "vendor": {"x": 1}},
    }


def test_after_the_call_nothing_is_heard_and_nothing_is_kept() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    with backchannel.watching("a", heard.append, Raw(b"1")) as own:
        pass
    backchannel.take("a", progress(int(bytes(own))))
    assert (heard, len(backchannel), backchannel.unclaimed) == ([], 0, 1)


def test_another_upstream_cannot_speak_for_it() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    with backchannel.watching("a", heard.append, Raw(b"1")) as own:
        backchannel.take("b", progress(int(bytes(own))))
    assert heard == []


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.floats(allow_nan=False)
)
def test_made_up_tokens_are_nobody_s(token: object) -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    with backchannel.watching("a", heard.append, Raw(b"1")) as own:
        if token != int(bytes(own)) or isinstance(token, bool | float):
            backchannel.take("a", progress(token))
            backchannel.take("a", Envelope("2.0", method="notifications/progress", params=Raw(encode(token))))
    assert heard == []


def telling(steps: int) -> Any:
    """A tool that tells its progress under the token that it was given, if it was given one."""

    def call(request: Request) -> object:
        meta = json.loads(request.params).get("_meta", {})
        if "progressToken" in meta:
            for _ in range(steps):
                upstreams[0].last("a").inbound(progress(meta["progressToken"]))
        return {"content": [], "meta": meta}

    upstreams: list[Upstreams] = []
    call.upstreams = upstreams  # type: ignore[attr-defined] # filled by the test that runs it
    return call


async def test_a_call_hears_its_own_progress_before_its_answer(running: Running) -> None:
    call = telling(3)
    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    call.upstreams.append(upstreams)
    heard: list[bytes] = []
    ctx = CallContext(Era.HANDSHAKE, "2025-11-25", View(), emit=heard.append)
    params = {"name": "a_1mcp_t", "_meta": {"progressToken": "p", "vendor/x": 1}}
    async with running(upstreams) as runtime:
        reply = await Dispatcher(runtime).dispatch(
            ctx, Envelope("2.0", method="tools/call", params=Raw(encode(params)))
        )
        assert len(runtime.backchannel) == 0
    meta = json.loads(bytes(reply.result))["meta"]
    assert meta["vendor/x"] == 1
    assert meta["progressToken"] != "p"
    assert [json.loads(message)["params"]["progressToken"] for message in heard] == ["p"] * 3


async def test_a_client_that_takes_no_messages_has_no_token_upstream(running: Running) -> None:
    call = telling(1)
    upstreams = Upstreams(a=handshake("t", **{"tools/call": call}))
    call.upstreams.append(upstreams)
    ctx = CallContext(Era.HANDSHAKE, "2025-11-25", View())
    params = {"name": "a_1mcp_t", "_meta": {"progressToken": 1, "vendor/x": 1}}
    async with running(upstreams) as runtime:
        reply = await Dispatcher(runtime).dispatch(
            ctx, Envelope("2.0", method="tools/call", params=Raw(encode(params)))
        )
    assert json.loads(bytes(reply.result))["meta"] == {"vendor/x": 1}
