"""Each promise of docs/guide.md, section "Single instance deployment", kept by a real gateway.

Commands and samples are read from the page; only ports differ. The second section is in test_guide_loading.py.
"""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent
from tests.support.gateway import WAIT_LIMIT, onemcp
from tests.support.guide import GUIDE, Command, GuideGateway, docs_server, examples, free_port
from tests.support.scripted import command
from tests.support.watching import ERAS

from onemcp import __version__
from onemcp.wire.revisions import LATEST_HANDSHAKE

pytestmark = pytest.mark.anyio

PAGE = examples(GUIDE)
START = PAGE["start"].command()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuideGateway]:
    """The gateway of the page's own `mcp.json`, all of its servers ready."""
    folder = tmp_path_factory.mktemp("guide")
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    with docs_server() as url:
        environ = {"DOCS_URL": url}
        with GuideGateway(START, PAGE["mcp.json"].text, folder=folder, environ=environ) as gateway:
            gateway.wait_settled()
            yield gateway


async def tools(url: str, era: str = "legacy") -> list[str]:
    """What a client sees at an address."""
    async with Client(url, mode=era) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


def servers(names: list[str]) -> set[str]:
    """The servers that the names of tools begin with."""
    return {name.partition("_1mcp_")[0] for name in names}


@pytest.mark.parametrize("era", ERAS)
async def test_one_endpoint_offers_the_tools_of_all_servers(sample: GuideGateway, era: str) -> None:
    assert servers(await tools(sample.url, era)) == {"time", "git", "docs"}


def test_it_prints_its_endpoint_and_each_server_as_it_becomes_ready(sample: GuideGateway) -> None:
    printed = PAGE["started"].text.replace("0.1.0", __version__).replace("3050", str(sample.port))
    assert sample.stdout.startswith(printed)
    ready = [line.split()[0] for line in sample.stdout.splitlines() if line.split()[1:2] == ["ready"]]
    assert sorted(ready) == ["docs", "git", "time"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_is_called_with_its_servers_name_in_front(sample: GuideGateway, era: str) -> None:
    name = "time_1mcp_get_current_time"
    assert f"`{name}`" in GUIDE.read_text(encoding="utf-8")
    async with Client(sample.url, mode=era) as client:
        told = await client.call_tool(name, {"timezone": "UTC"})
        found = await client.call_tool("docs_1mcp_search", {"words": "backoff"})
    assert not told.is_error
    assert "UTC" in said(told)
    assert said(found) == "found backoff"


def said(result: CallToolResult) -> str:
    """The text of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def test_the_commands_of_an_operator_work_as_they_are_typed(sample: GuideGateway) -> None:
    status, inspect, run, connect = map(sample.type, PAGE["operate"].commands())
    for done in (status, inspect, run, connect):
        assert done.returncode == 0, done.stderr
    assert status.stdout.count(" ready ") == 3
    assert "get_current_time" in inspect.stdout
    assert "UTC" in run.stdout
    for client in ("Claude Code", "Cursor", "VS Code", "Codex"):
        assert client in connect.stdout
    assert sample.url in connect.stdout


def test_it_tells_what_it_is_doing_and_what_is_wrong(sample: GuideGateway) -> None:
    top, logs, level, doctor = map(sample.type, PAGE["look"].commands())
    for done in (top, logs, level, doctor):
        assert done.returncode == 0, done.stderr + done.stdout
    assert top.stdout.count(" ready ") == 3
    assert "time: is ready" in logs.stdout
    assert level.stdout == "the log level is debug for 10 min, then info again\n"
    assert "nothing is wrong" in doctor.stdout


def test_an_error_that_a_client_gets_is_in_the_log_under_its_id(sample: GuideGateway) -> None:
    sample.type(PAGE["look"].commands()[2])
    refused = httpx2.post(sample.url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    name = refused.json()["error"]["data"]["requestId"]
    assert refused.headers["x-request-id"] == name
    logs = sample.type(Command(("1mcp", "logs", "--json"))).stdout.splitlines()
    assert name in [json.loads(line).get("request_id") for line in logs]


def test_status_inspect_and_run_take_json(sample: GuideGateway) -> None:
    for typed in PAGE["operate"].commands()[:3]:
        done = sample.type(Command((*typed.argv, "--json")))
        assert isinstance(json.loads(done.stdout), dict), done.stderr


@pytest.mark.parametrize("era", ERAS)
async def test_the_address_decides_what_a_client_sees(sample: GuideGateway, era: str) -> None:
    addresses = PAGE["addresses"].text.replace("3050", str(sample.port)).split()
    all_of_them, by_tag, by_expression, alone = [await tools(url, era) for url in addresses]
    assert servers(all_of_them) == {"time", "git", "docs"}
    assert servers(by_tag) == {"time"}
    assert servers(by_expression) == {"git", "docs"}
    assert sorted(alone) == ["convert_time", "get_current_time"]


async def test_a_server_that_cannot_be_started_is_failed_and_the_others_serve(tmp_path: Path) -> None:
    config = {
        "mcpServers": {
            "good": {"command": command()},
            "missing": {"command": "no-such-program"},
            "unset": {"command": [*command(), "${GUIDE_UNSET}"]},
        }
    }
    async with GuideGateway(START, config, folder=tmp_path) as gateway:
        gateway.wait_settled()
        assert await tools(gateway.url) == ["good_1mcp_echo"]
        done = gateway.type(PAGE["operate"].commands()[0])
        lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.split()}
    assert done.returncode == 1
    assert " ready " in lines["good"]
    assert " failed " in lines["missing"]
    assert 'command "no-such-program" was not found' in lines["missing"]
    assert " failed " in lines["unset"]
    assert "GUIDE_UNSET is not set" in lines["unset"]
    assert "set it where the gateway starts" in gateway.stdout


def test_with_strict_what_is_wrong_in_the_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {\n"unset": {"command": "${GUIDE_UNSET}"}}}')
    done = onemcp(*START.argv[1:], "--strict", folder=tmp_path)
    assert done.returncode == 78
    assert "mcp.json:2" in done.stderr


def test_status_says_by_its_exit_code_that_no_gateway_runs(tmp_path: Path) -> None:
    with GuideGateway(START, {"mcpServers": {}}, folder=tmp_path) as gateway:
        pass
    assert gateway.type(PAGE["operate"].commands()[0]).returncode == 3


def test_liveness_answers_whatever_the_servers_do(tmp_path: Path) -> None:
    config = {"mcpServers": {"hangs": {"command": command("--mode", "hang-start")}}}
    with GuideGateway(START, config, folder=tmp_path) as gateway:
        url = PAGE["live"].command().argv[-1].replace("3050", str(gateway.port))
        assert httpx2.get(url).status_code == 200


def test_the_page_names_the_default_port(tmp_path: Path) -> None:
    url = PAGE["started"].text.split()[-1]
    assert onemcp("connect", "codex", folder=tmp_path).stdout.endswith(f'url = "{url}"\n')


async def pids(gateway: GuideGateway) -> list[int]:
    """The process ids of the scripted servers a and b."""
    async with Client(gateway.url, mode="legacy") as client:
        told = [await client.call_tool(f"{name}_1mcp_echo", {}) for name in "ab"]
    return [(result.structured_content or {})["pid"] for result in told]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stopping_ends_the_servers_too(tmp_path: Path, number: signal.Signals) -> None:
    config = {"mcpServers": {name: {"command": command()} for name in "ab"}}
    async with GuideGateway(START, config, folder=tmp_path) as gateway:
        running = await pids(gateway)
        gateway.signal(number)
        assert await asyncio.to_thread(gateway.wait) == 0
    assert not any(map(is_alive, running))


async def test_nothing_of_the_servers_survives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    config = {"mcpServers": {name: {"command": command("--mode", "stay")} for name in "ab"}}
    async with GuideGateway(START, config, folder=tmp_path) as gateway:
        running = await pids(gateway)
        await asyncio.to_thread(gateway.kill)
        async with asyncio.timeout(WAIT_LIMIT):
            while any(map(is_alive, running)):
                await asyncio.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_session_goes_on_after_a_restart(tmp_path: Path) -> None:
    config = {"mcpServers": {"a": {"command": command()}}}
    gateway = GuideGateway(START, config, folder=tmp_path, port=free_port())
    hello = {
        "protocolVersion": LATEST_HANDSHAKE,
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    with gateway, httpx2.Client() as client:
        answer = client.post(gateway.url, json=request("initialize", hello))
        session = {"mcp-session-id": answer.headers["mcp-session-id"]}
    with gateway, httpx2.Client() as client:
        answer = client.post(gateway.url, json=request("tools/list", {}), headers=session)
        assert [tool["name"] for tool in answer.json()["result"]["tools"]] == ["a_1mcp_echo"]


def request(method: str, params: Mapping[str, object]) -> dict[str, object]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_each_gateway_on_a_machine_has_its_own_port_and_state(tmp_path: Path) -> None:
    port = free_port()
    start, status = (
        Command(tuple(word.replace("3051", str(port)) for word in command.argv))
        for command in PAGE["second"].commands()
    )
    (tmp_path / "other.json").write_text(json.dumps({"mcpServers": {"b": {"command": command()}}}))
    config = {"mcpServers": {"a": {"command": command()}}}
    with (
        GuideGateway(START, config, folder=tmp_path) as first,
        GuideGateway(start, config, folder=tmp_path, port=port) as second,
    ):
        first.wait_settled()
        second.wait_settled()
        (one,) = json.loads(first.type(Command(("1mcp", "status", "--json"))).stdout)["servers"]
        told = second.type(status)
    assert one["name"] == "a"
    assert told.returncode == 0
    assert f"127.0.0.1:{port}/mcp" in told.stdout
