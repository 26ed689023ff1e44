"""Lists: from the catalog, without asking an upstream."""

import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import Upstreams, handshake, spec, until

from onemcp.core.access import View
from onemcp.core.offering import Listing
from onemcp.core.tags import simple
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.lists import MAX_CACHED, Lists
from onemcp.gateway.runtime import Runtime
from onemcp.wire.envelope import encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


def listed(
    runtime: Runtime,
    *,
    paged: bool = False,
    era: Era = Era.HANDSHAKE,
    view: View | None = None,
    **params: Any,
) -> Any:
    ctx = CallContext(era, "x", view or View(), paged=paged)
    raw = {name: Raw(encode(value)) for name, value in params.items()}
    return json.loads(bytes(Lists(runtime).answer(ctx, Listing.TOOLS, raw)))


async def test_the_whole_list_comes_in_the_order_of_the_configuration(running: Running) -> None:
    async with running(Upstreams(b=handshake("y", "x"), a=handshake("z"))) as runtime:
        names = [tool["name"] for tool in listed(runtime)["tools"]]
    assert names == ["b_1mcp_y", "b_1mcp_x", "a_1mcp_z"]


async def test_no_upstream_is_asked(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams) as runtime:
        asked = len(upstreams.last("a").asked)
        listed(runtime)
        listed(runtime, era=Era.STATELESS)
        assert len(upstreams.last("a").asked) == asked


async def test_the_stateless_era_hears_how_long_it_may_keep_the_list(running: Running) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        whole = listed(runtime, era=Era.STATELESS)
        part = listed(runtime, era=Era.STATELESS, view=View(simple("web")))
    assert whole["resultType"] == "complete"
    assert (whole["ttlMs"], whole["cacheScope"]) == (60_000, "public")
    assert (part["tools"], part["cacheScope"]) == ([], "private")


async def test_nothing_may_be_kept_while_an_upstream_is_on_its_way(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"), b=handshake("y"))
    async with running(upstreams, settle=False) as runtime:
        assert listed(runtime, era=Era.STATELESS)["ttlMs"] == 0
        await runtime.settled()
        assert listed(runtime, era=Era.STATELESS)["ttlMs"] > 0


async def test_pages_cover_the_list_once(running: Running) -> None:
    tools = [f"t{number}" for number in range(25)]
    async with running(Upstreams(a=handshake(*tools), b=handshake(*tools)), page_size=7) as runtime:
        names, page = [], listed(runtime, paged=True)
        while True:
            assert len(page["tools"]) <= 7
            names += [tool["name"] for tool in page["tools"]]
            if "nextCursor" not in page:
                break
            page = listed(runtime, paged=True, cursor=page["nextCursor"])
        assert names == [tool["name"] for tool in listed(runtime)["tools"]]


async def test_a_cursor_survives_an_upstream_that_leaves(running: Running) -> None:
    specs = [spec(name) for name in "abc"]
    upstreams = Upstreams(a=handshake("1", "2"), b=handshake("1", "2"), c=handshake("1", "2"))
    async with running(upstreams, specs=specs, page_size=3) as runtime:
        first = listed(runtime, paged=True)
        assert [tool["name"] for tool in first["tools"]][-1] == "b_1mcp_1"
        await runtime.apply([specs[0], specs[2]])
        second = listed(runtime, paged=True, cursor=first["nextCursor"])
    assert [tool["name"] for tool in second["tools"]] == ["c_1mcp_1", "c_1mcp_2"]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "\u00e4", 7, None, {}])
async def test_a_cursor_that_is_not_ours_is_refused(running: Running, cursor: object) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        if cursor is None:
            assert listed(runtime, paged=True, cursor=cursor)["tools"]
            return
        with pytest.raises(RpcError, match="unknown cursor") as caught:
            listed(runtime, paged=True, cursor=cursor)
    assert caught.value.code == -32602


async def test_a_change_shows_in_the_next_list(running: Running) -> None:
    upstreams = Upstreams(a=handshake("x"))
    async with running(upstreams) as runtime:
        lists = Lists(runtime)
        ctx = CallContext(Era.HANDSHAKE, "x", View())
        assert b"a_1mcp_y" not in bytes(lists.answer(ctx, Listing.TOOLS, {}))
        upstreams.last("a").script = handshake("x", "y")
        upstreams.last("a").announce("tools")
        await until(lambda: b"a_1mcp_y" in bytes(lists.answer(ctx, Listing.TOOLS, {})))


async def test_many_views_do_not_fill_the_memory(running: Running) -> None:
    async with running(Upstreams(a=handshake("x"))) as runtime:
        lists = Lists(runtime)
        for number in range(MAX_CACHED * 3):
            view = View(simple(f"tag{number}"))
            lists.answer(CallContext(Era.HANDSHAKE, "x", view), Listing.TOOLS, {})
        assert len(lists._cache) <= MAX_CACHED
