import io
import json
from typing import Any

from onemcp.cli.console import Console
from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.offering import Item, Listing, Offering
from onemcp.core.spec import StdioTransport, UpstreamSpec
from onemcp.errors import Problem


def spec(name: str, **more: Any) -> UpstreamSpec:
    return UpstreamSpec(name, StdioTransport(("x",)), **more)


def offering(**tools: dict[str, Any]) -> Offering:
    items = [Item(name, json.dumps({"name": name, **more}).encode()) for name, more in tools.items()]
    return Offering({Listing.TOOLS: tuple(items)})


def moved(
    name: str,
    state: State,
    previous: State = State.CONNECTING,
    reason: str = "",
    offers: Offering | None = None,
) -> UpstreamChanged:
    return UpstreamChanged(name, state, previous, reason, 0.41, offers)


def started(*specs: UpstreamSpec, reach: str = "") -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    console = Console(out, specs)
    console.started("http://127.0.0.1:3050/mcp", "mcp.json", reach)
    return console, out


def test_every_server_gets_a_line_and_then_there_is_something_to_try() -> None:
    console, out = started(spec("time"), spec("db"), reach=" --port 4000")
    schema = {"properties": {"timezone": {"type": "string"}}, "required": ["timezone"]}
    now = {"inputSchema": schema, "annotations": {"readOnlyHint": True}}
    console.changed(moved("time", State.READY, offers=offering(now=now)))
    assert "Try next" not in out.getvalue()
    console.changed(moved("db", State.FAILED, reason="cannot start: no command x; correct it"))
    text = out.getvalue()
    assert "  time  ready           0.4 s  1 tool\n" in text
    assert "  db    failed          0.4 s  cannot start: no command x\n" in text
    assert "\n                               correct it\n" in text
    assert "1 of 2 servers ready" in text
    assert "1mcp status --port 4000" in text
    assert """1mcp run time/now --args '{"timezone":"UTC"}' --port 4000""" in text


def test_after_the_sum_only_changes_of_state_are_told() -> None:
    console, out = started(spec("time"))
    console.changed(moved("time", State.READY, offers=offering(a={})))
    settled = len(out.getvalue())
    console.changed(moved("time", State.READY, State.READY, offers=offering(a={}, b={})))
    console.changed(moved("time", State.STOPPING, State.READY))
    assert len(out.getvalue()) == settled
    console.changed(moved("time", State.BACKOFF, State.READY, "exited"))
    assert out.getvalue()[settled:] == "  time  backoff                exited\n"


def test_a_server_that_keeps_failing_for_one_reason_is_told_once() -> None:
    console, out = started(spec("time"), spec("slow"))
    for _ in range(3):
        console.changed(moved("time", State.BACKOFF, reason="exited"))
        console.changed(moved("time", State.CONNECTING, State.BACKOFF))
    assert out.getvalue().count("exited") == 1


def test_a_faulty_entry_is_told_at_the_start_with_what_to_do() -> None:
    fault = Problem("${X} is not set", "set it", "mcp.json", 3, 5, "mcpServers.db.env")
    _, out = started(spec("db", fault=fault), spec("off", disabled=True))
    text = out.getvalue()
    assert "  db   failed                 ${X} is not set\n                              set it\n" in text
    assert "  off  disabled\n" in text
    assert "0 of 1 server ready" in text


def test_no_servers_at_all_is_settled_at_once() -> None:
    _, out = started()
    assert "0 of 0 servers ready" in out.getvalue()


def test_a_broken_stream_silences_the_console_and_raises_nothing() -> None:
    console, out = started(spec("time"))
    out.close()
    console.changed(moved("time", State.READY, offers=offering(a={})))
    console.stopped()


def test_a_name_cannot_steer_the_terminal() -> None:
    console, out = started(spec("a\x1bb"))
    console.changed(moved("a\x1bb", State.BACKOFF, reason="\x1b[2Jgone"))
    assert "\x1b" not in out.getvalue()


def test_behind_a_proxy_it_shows_the_url_for_clients_and_its_own() -> None:
    out = io.StringIO()
    Console(out, ()).started("https://mcp.example.com/mcp", "mcp.json", "", "http://127.0.0.1:3050/mcp")
    first, second, *_ = out.getvalue().splitlines()
    assert first.endswith("serves https://mcp.example.com/mcp")
    assert second == "behind a proxy, at http://127.0.0.1:3050/mcp"
