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


def message(level: str, **more: object) -> Envelope:
    params = {"level": level, "data": "x", **more}
    return Envelope("2.0", method="notifications/message", params=Raw(encode(params)))


def test_a_token_is_ours_on_the_one_side_and_the_client_s_on_the_other() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", heard.append, "")
    own = int(bytes(call.watch(Raw(b'"mine"'))))
    backchannel.take("a", progress(own, message="half", vendor={"x": 1}))
    call.hear(progress(own))
    assert json.loads(heard[0]) == {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": "mine", "progress": 1, "message": "half", "vendor": {"x": 1}},
    }
    assert len(heard) == 2


def test_after_the_call_nothing_is_heard_and_nothing_is_kept() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", heard.append, "debug")
    own = int(bytes(call.watch(Raw(b"1"))))
    backchannel.end(call)
    backchannel.take("a", progress(own))
    backchannel.take("a", message("error"))
    assert (heard, len(backchannel), backchannel.unclaimed) == ([], 0, 2)


def test_another_upstream_cannot_speak_for_it() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    call = backchannel.begin("a", heard.append, "debug")
    own = int(bytes(call.watch(Raw(b"1"))))
    backchannel.take("b", progress(own))
    backchannel.take("b", message("error"))
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
    call = backchannel.begin("a", heard.append, "")
    own = int(bytes(call.watch(Raw(b"1"))))
    if token != own or isinstance(token, bool | float):
        backchannel.take("a", progress(token))
        backchannel.take("a", Envelope("2.0", method="notifications/progress", params=Raw(encode(token))))
    assert heard == []


@pytest.mark.parametrize(
    ("asked", "severity", "is_heard"),
    [
        ("info", "info", True),
        ("info", "debug", False),
        ("error", "emergency", True),
        ("debug", "loud", True),
        ("", "error", False),
    ],
)
def test_a_log_message_is_heard_from_the_level_that_was_asked_for(
    asked: str, severity: str, is_heard: bool
) -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    backchannel.begin("a", heard.append, asked)
    backchannel.take("a", message(severity, vendor=1))
    assert bool(heard) is is_heard
    if heard:
        assert json.loads(heard[0])["params"] == {"level": severity, "data": "x", "vendor": 1}


def test_where_nothing_says_whose_a_log_message_is_it_goes_to_no_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backchannel, one, other = Backchannel(), list[bytes](), list[bytes]()
    first = backchannel.begin("a", one.append, "debug")
    backchannel.begin("a", other.append, "debug")
    with caplog.at_level("INFO", "onemcp.upstream.message"):
        backchannel.take("a", message("error"))
    assert (one, other) == ([], [])
    assert '"data":"x"' in caplog.text
    first.hear(message("error"))
    assert (len(one), other) == (1, [])


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
