"""What of an earlier stream may be shown in the present view."""

import json

import pytest
from tests.gateway.conftest import Running
from tests.support.channels import Upstreams, handshake, spec

from onemcp.core.access import View
from onemcp.core.tags import simple
from onemcp.gateway.replay import shown
from onemcp.gateway.streams import Event

pytestmark = pytest.mark.anyio

NOTE = b'{"jsonrpc":"2.0","method":"x"}'
ANSWER = b'{"jsonrpc":"2.0","id":"q","result":{"tools":[]}}'
ERROR = b'{"jsonrpc":"2.0","id":"q","error":{"code":-32602,"message":"no"}}'


async def test_the_word_of_an_upstream_is_shown_where_the_upstream_is(running: Running) -> None:
    specs = [spec("a", tags=frozenset({"web"})), spec("b", tags=frozenset({"db"}))]
    async with running(Upstreams(a=handshake(), b=handshake()), specs=specs) as runtime:
        for view, endpoint, sees in (
            (View(), "", True),
            (View(simple("web")), "", True),
            (View(simple("db")), "", False),
            (View(), "a", True),
            (View(), "b", False),
        ):
            assert shown(runtime, view, endpoint, Event(NOTE, "i", "a")) == (NOTE if sees else b"")
            answer = json.loads(shown(runtime, view, endpoint, Event(ANSWER, "i", "a")))
            assert answer["id"] == "q"
            assert ("result" in answer) is sees
            assert sees or answer["error"]["code"] == -32602


async def test_a_list_is_shown_only_in_a_view_that_shows_everything(running: Running) -> None:
    async with running(Upstreams(a=handshake())) as runtime:
        assert shown(runtime, View(), "", Event(ANSWER)) == ANSWER
        narrow = View(simple("web"))
        assert "ask again" in json.loads(shown(runtime, narrow, "", Event(ANSWER)))["error"]["message"]
        assert shown(runtime, narrow, "", Event(ERROR)) == ERROR
        assert shown(runtime, narrow, "", Event(NOTE)) == NOTE
