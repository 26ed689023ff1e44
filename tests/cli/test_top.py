"""`1mcp top` on a terminal: as much as there is room for, and nothing that is not so."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

from tests.support.gateway import GatewayProcess, environment

from onemcp.cli.top import render

LINES, COLUMNS = 10, 30


def server(name: str, calls: int = 0, in_flight: int = 0) -> dict[str, Any]:
    counted = {"calls": calls, "errors": 0, "bounds": [1.0], "durations": [calls, 0]}
    return {"name": name, "state": "ready", "inFlight": in_flight, "waiting": 0, **counted}


def sample(time: float, *servers: dict[str, Any]) -> dict[str, Any]:
    process = {"time": time, "pid": 1, "cpu": 0.0, "memory": 0, "tasks": 1, "metrics": True}
    return {**process, "servers": list(servers)}


def test_where_there_is_no_room_for_all_the_busiest_are_shown() -> None:
    before = sample(0.0, *(server(f"s{number}") for number in range(20)))
    now = sample(1.0, *(server(f"s{number}", number, int(number == 3)) for number in range(20)))
    lines = render(before, before, now, {}, LINES).splitlines()
    assert len(lines) == LINES
    assert [line.split()[0] for line in lines[3:-1]] == ["s3", "s19", "s18", "s17", "s16", "s15"]
    assert lines[-1] == "and 14 that are less busy; --once prints all"


def test_where_there_is_room_all_are_shown_in_the_order_of_the_configuration() -> None:
    now = sample(1.0, *(server(f"s{number}", number) for number in range(LINES - 3)))
    lines = render(now, now, now, {}, LINES).splitlines()
    assert [line.split()[0] for line in lines[3:]] == [f"s{number}" for number in range(LINES - 3)]


def test_a_gateway_that_counts_anew_had_no_fewer_calls_than_none() -> None:
    shown = render(
        sample(0.0, server("a", 50)), sample(0.0, server("a", 50)), sample(1.0, server("a", 2)), {}
    )
    assert "  0 calls/s" in shown


def test_a_frame_is_no_larger_than_the_terminal(tmp_path: Path) -> None:
    config = {"mcpServers": {f"server-{number:03}": {"command": "no-such-server"} for number in range(60)}}
    with GatewayProcess(config, "--enable-async-loading", folder=tmp_path) as gateway:
        gateway.wait_settled()
        terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        argv = [sys.executable, "-m", "onemcp", "top", "--state-dir", str(gateway.state_dir)]
        with (
            os.fdopen(terminal, "rb", buffering=0) as screen,
            subprocess.Popen(argv, env=environment(tmp_path), stdin=inner, stdout=inner) as process,
        ):
            os.close(inner)
            try:
                seen = b""
                while seen.count(b"\x1b[?7h") < 2:
                    seen += screen.read(65536)
                process.send_signal(signal.SIGINT)
                assert process.wait(15) == 0
            finally:
                process.kill()
    frame = seen.split(b"\x1b[?7l\x1b[H")[1].partition(b"\x1b[?7h")[0]
    assert frame.count(b"\n") == LINES - 1
    assert b"that are less busy" in frame
