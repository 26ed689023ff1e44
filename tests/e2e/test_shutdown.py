"""The end of a gateway: what is under way finishes, what is new is sent elsewhere, and nobody is left without a word."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, environment
from tests.support.held import Held
from tests.support.talk import CONTENT, HELLO, META, Talk, rpc

pytestmark = pytest.mark.anyio

LONG: Final = "600000"
REASON: Final = "gateway_shutting_down"


class Stopped(Talk):
    """A client of a gateway that is about to be stopped."""

    def __init__(self, gateway: GatewayProcess, http: httpx2.AsyncClient) -> None:
        super().__init__(gateway.url, http)
        self.gateway = gateway

    async def health(self, page: str = "/ready") -> httpx2.Response:
        return await self.http.get(f"{self.gateway.base}/health{page}")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_LIMIT):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def held(folder: Path, *flags: str) -> AsyncIterator[tuple[Stopped, Held]]:
    """A gateway over one server whose calls can be held, and a client with a session."""
    server = Held(folder / "held")
    config = {"mcpServers": {"a": server.entry()}}
    async with (
        GatewayProcess(config, *flags, folder=folder) as gateway,
        httpx2.AsyncClient(timeout=WAIT_LIMIT) as http,
    ):
        talk = Stopped(gateway, http)
        await talk.initialize()
        try:
            yield talk, server
        finally:
            server.release()


async def stopping(talk: Stopped) -> None:
    """Send the first signal, and return when the health page says so."""
    talk.gateway.signal(signal.SIGTERM)
    async with asyncio.timeout(WAIT_LIMIT):
        while (await talk.health()).status_code != 503:
            await asyncio.sleep(0.01)


async def ended(talk: Stopped) -> int:
    return await asyncio.to_thread(talk.gateway.wait)


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_call_under_way_gets_its_answer(tmp_path: Path, era: str) -> None:
    async with held(tmp_path, "--drain-timeout", LONG) as (talk, server):
        call = asyncio.create_task(talk.call("a_1mcp_hold", era))
        await until(lambda: server.calls == 1)
        await stopping(talk)
        server.release()
        answer = await call
        assert answer.json()["result"]["content"][0]["text"] == "held 1"
        assert answer.headers["connection"] == "close"
        assert await ended(talk) == 0
        assert "stopped; all servers have ended" in talk.gateway.stdout


async def test_while_it_drains_sessions_go_on_and_nothing_new_is_taken(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-timeout", LONG) as (talk, server):
        call = asyncio.create_task(talk.call("a_1mcp_hold"))
        await until(lambda: server.calls == 1)
        await stopping(talk)
        assert (await talk.health("")).status_code == 503
        assert (await talk.health("/live")).status_code == 200
        assert "result" in (await talk.call("a_1mcp_echo")).json()
        for refused in (await talk.call("a_1mcp_echo", "stateless"), await talk.post(HELLO)):
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["error"]["data"]["reason"] == REASON
            assert refused.json()["id"] == 1
        listening = await talk.http.get(
            talk.gateway.url, headers={**talk.session, "accept": "text/event-stream"}
        )
        assert listening.status_code == 503
        assert not call.done()
        server.release()
        assert "result" in (await call).json()
        assert await ended(talk) == 0


async def test_before_that_everything_is_served_for_a_while_but_health_says_no(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-min", LONG) as (talk, _):
        await stopping(talk)
        assert (await talk.health("")).status_code == 503
        assert "result" in (await talk.call("a_1mcp_echo")).json()
        assert "result" in (await talk.call("a_1mcp_echo", "stateless")).json()
        opened = await talk.initialize()
        assert opened.status_code == 200
        assert opened.headers["connection"] == "close"
        talk.gateway.signal(signal.SIGTERM)
        assert await ended(talk) == 128 + signal.SIGTERM


async def test_that_while_ends(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-min", "300") as (talk, _):
        await stopping(talk)
        assert await ended(talk) == 0


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_call_that_does_not_finish_in_time_gets_a_clear_error(tmp_path: Path, era: str) -> None:
    async with held(tmp_path, "--drain-timeout", "300") as (talk, server):
        call = asyncio.create_task(talk.call("a_1mcp_hold", era))
        await until(lambda: server.calls == 1)
        talk.gateway.signal(signal.SIGTERM)
        answer = (await call).json()
        assert answer["id"] == 1
        assert answer["error"]["data"]["reason"] == REASON
        assert "did not finish in time" in answer["error"]["message"]
        assert await ended(talk) == 0


async def test_an_answer_on_an_event_stream_ends_with_that_error(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-timeout", "300") as (talk, server):
        message = rpc("tools/call", name="a_1mcp_hold", arguments={}, _meta={"progressToken": "p"})
        call = asyncio.create_task(talk.post(message, **talk.session))
        await until(lambda: server.calls == 1)
        talk.gateway.signal(signal.SIGTERM)
        events = [line[6:] for line in (await call).text.splitlines() if line.startswith("data: ")]
        last = json.loads(events[-1])
        assert (last["id"], last["error"]["data"]["reason"]) == (1, REASON)
        assert await ended(talk) == 0


async def test_streams_end_politely(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-timeout", LONG) as (talk, _):
        listen = rpc("subscriptions/listen", 7, notifications={"toolsListChanged": True}, _meta=META)
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
        streaming = {**talk.session, "accept": "text/event-stream"}
        async with (
            talk.http.stream("GET", talk.gateway.url, headers=streaming) as session,
            talk.http.stream(
                "POST", talk.gateway.url, json=listen, headers={**CONTENT, **headers}
            ) as listened,
        ):
            session_lines, listen_lines = session.aiter_lines(), listened.aiter_lines()
            while "acknowledged" not in await anext(listen_lines):
                pass
            await anext(session_lines)
            talk.gateway.signal(signal.SIGINT)
            told = [line async for line in session_lines]
            last = [line async for line in listen_lines if line.startswith("data: ")][-1]
        assert not any(line.startswith("data: {") for line in told)
        assert json.loads(last[6:])["id"] == 7
        assert json.loads(last[6:])["result"]["resultType"] == "complete"
        assert await ended(talk) == 0


async def test_a_call_of_the_command_line_is_waited_for(tmp_path: Path) -> None:
    async with held(tmp_path, "--drain-timeout", LONG) as (talk, server):
        run = asyncio.create_task(asyncio.to_thread(talk.gateway.command, "run", "a/hold"))
        await until(lambda: server.calls == 1)
        await stopping(talk)
        server.release()
        done = await run
        assert (done.returncode, done.stdout.strip()) == (0, "held 1")
        assert await ended(talk) == 0


async def answer_of(process: asyncio.subprocess.Process, request_id: int) -> Any:
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_LIMIT):
        while line := await process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == request_id:
                return message
    return None


@asynccontextmanager
async def on_stdio(folder: Path, *flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Held]]:
    """A gateway on standard streams, with a call under way."""
    server = Held(folder / "held")
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"a": server.entry()}}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onemcp", "serve", "--config", "mcp.json", "--transport", "stdio", *flags),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment(folder),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(HELLO).encode() + b"\n")
        assert "result" in await answer_of(process, 1)
        call = rpc("tools/call", 2, name="a_1mcp_hold", arguments={})
        process.stdin.write(json.dumps(call).encode() + b"\n")
        await until(lambda: server.calls == 1)
        yield process, server
    finally:
        server.release()
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("ending", ["the end of its input", "SIGTERM"])
async def test_on_stdio_calls_under_way_finish(tmp_path: Path, ending: str) -> None:
    async with on_stdio(tmp_path, "--drain-timeout", LONG, "--drain-min", LONG) as (process, server):
        assert process.stdin is not None
        if ending == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        server.release()
        assert (await answer_of(process, 2))["result"]["content"][0]["text"] == "held 1"
        async with asyncio.timeout(WAIT_LIMIT):
            assert await process.wait() == 0


@pytest.mark.parametrize("ending", ["the end of its input", "SIGTERM"])
async def test_on_stdio_a_call_that_does_not_finish_in_time_gets_the_same_error(
    tmp_path: Path, ending: str
) -> None:
    async with on_stdio(tmp_path, "--drain-timeout", "300") as (process, _):
        assert process.stdin is not None
        if ending == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert (await answer_of(process, 2))["error"]["data"]["reason"] == REASON
        async with asyncio.timeout(WAIT_LIMIT):
            assert await process.wait() == 0
