"""A gateway that runs with the file that is changed."""

import json
import signal
import time
from pathlib import Path

from tests.support.gateway import WAIT_LIMIT, GatewayProcess, onemcp
from tests.support.scripted import command


def test_a_server_that_was_added_serves_after_a_reload(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        done = onemcp("server", "add", "echo", "--", *command("--tools", 1), folder=tmp_path)
        assert done.returncode == 0, done.stderr
        gateway.signal(signal.SIGHUP)
        until = time.monotonic() + WAIT_LIMIT
        states: list[str] = []
        while states != ["ready"]:
            assert time.monotonic() < until, gateway.transcript()
            status = json.loads(gateway.command("status", "--json").stdout)
            states = [server["state"] for server in status["servers"]]
        assert gateway.command("run", "echo/echo").returncode == 0
