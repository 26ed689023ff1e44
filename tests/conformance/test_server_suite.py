"""The official conformance suite against a gateway in front of the fixture: each era of client and upstream.

Every scenario but those of extensions must be without a failure and without a warning, or stand in `expected.py` with
its reason; an entry there that is no longer true fails as well.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.conformance import suite
from tests.conformance.expected import EXPECTED, HANDSHAKE, STATELESS, Cell
from tests.conformance.fixture import ENVIRONMENT, command
from tests.support.gateway import GatewayProcess
from tests.support.machine import CONFORMANCE

pytestmark = [CONFORMANCE.mark, pytest.mark.timeout(180)]

UPSTREAM: Final = "fixture"
MCP: Final = "io.modelcontextprotocol"
ASKING: Final = "test_input_required_result_elicitation"
END: Final = 10.0
FLAGS: Final[Mapping[str, tuple[str, ...]]] = {HANDSHAKE: ("--handshake",), STATELESS: ()}


@contextmanager
def served(*flags: str) -> Iterator[str]:
    """The fixture over streamable HTTP, in a process of its own; its address."""
    with subprocess.Popen(
        command("--http", *flags),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address, "the fixture did not start"
            yield address
        finally:
            process.kill()
            process.wait(END)


@contextmanager
def entry(cell: Cell) -> Iterator[dict[str, Any]]:
    """How the cell's upstream stands in the configuration, while it can be reached."""
    flags = FLAGS[cell.upstream]
    more: dict[str, Any] = {"roots": True} if cell.upstream == HANDSHAKE else {}
    if cell.transport == "stdio":
        program, *arguments = command(*flags)
        yield {"command": program, "args": arguments, "env": ENVIRONMENT, **more, **isolation(cell)}
        return
    with served(*flags) as address:
        yield {"url": address, **more}


def isolation(cell: Cell) -> dict[str, Any]:
    """A child on stdio does not say in which call it asks, and the suite has a session for each of its scenarios.

    What one has left behind, or has only just finished, would have the next one's questions refused.
    """
    return {"isolation": "session"} if cell.upstream == HANDSHAKE else {}


def open_connections(url: str) -> None:
    """Call once what asks nothing and once what does: the suite waits for some answers no longer than a start takes."""
    for name in ("test_simple_text", ASKING):
        capabilities: dict[str, Any] = {"elicitation": {}} if name == ASKING else {}
        meta = {f"{MCP}/protocolVersion": STATELESS, f"{MCP}/clientCapabilities": capabilities}
        params: dict[str, Any] = {"name": name, "arguments": {}, "_meta": meta}
        while True:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            headers = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": "tools/call", "Mcp-Name": name}
            result = httpx2.post(url, json=message, headers=headers, timeout=END).json()["result"]
            if result["resultType"] == "complete":
                break
            params["requestState"] = result["requestState"]
            params["inputResponses"] = {key: {"action": "decline"} for key in result["inputRequests"]}


@pytest.mark.parametrize("revision", FLAGS)
def test_the_fixture_itself_falls_short_of_nothing(revision: str, tmp_path: Path) -> None:
    with served(*FLAGS[revision]) as address:
        suite.judge(suite.run(address, revision, tmp_path), {})


@pytest.mark.parametrize("cell", EXPECTED, ids=str)
def test_a_client_of_one_era_gets_from_an_upstream_what_the_protocol_allows(
    cell: Cell, tmp_path: Path
) -> None:
    with entry(cell) as upstream:
        config = {"mcpServers": {UPSTREAM: upstream}}
        with GatewayProcess(config, "--enable-async-loading", folder=tmp_path) as gateway:
            gateway.wait_settled()
            url = f"{gateway.base}/servers/{UPSTREAM}/mcp"
            if upstream.get("isolation") and cell.client == STATELESS:
                open_connections(url)
            outcomes = suite.run(url, cell.client, tmp_path / "reports")
    suite.judge(outcomes, EXPECTED[cell])
