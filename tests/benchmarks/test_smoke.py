import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from benchmarks.channels import ask, connect, is_whole
from benchmarks.fleet import Upstream
from benchmarks.load import Load, Target, generate
from benchmarks.measures import calls
from benchmarks.probe import Probe, await_tools
from benchmarks.report import as_json, table
from benchmarks.samples import Sample, summarise
from benchmarks.upstreams.echo import HANDSHAKE, STATELESS, Echo
from benchmarks.usage import cpu_seconds, rss_kib
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import fleet, messages

SHORT = 0.2


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Upstream]:
    with fleet.http("http", tmp_path, tools=3) as upstream:
        yield upstream


def answer(echo: Echo, data: bytes) -> dict[str, object]:
    parsed: dict[str, object] = msgspec.json.decode(echo.answer(data))
    return parsed


@pytest.mark.parametrize("era", [HANDSHAKE, STATELESS])
def test_an_echo_returns_the_text_of_a_call_under_the_id_of_the_call(era: str) -> None:
    parsed = answer(Echo(1, era), messages.call_body("echo"))
    assert parsed["id"] == messages.NUMBER
    assert isinstance(parsed["result"], dict)
    assert parsed["result"]["content"] == [{"type": "text", "text": messages.TEXT}]


def test_only_an_echo_of_the_stateless_era_can_be_discovered() -> None:
    discover = messages.body("server/discover", stateless=True)
    assert "result" in answer(Echo(1, STATELESS), discover)
    assert "error" in answer(Echo(1, HANDSHAKE), discover)


def test_an_echo_says_nothing_to_a_notification() -> None:
    assert Echo(1, HANDSHAKE).answer(b'{"jsonrpc":"2.0","method":"notifications/initialized"}') == b""


def test_the_http_upstream_lists_its_tools_and_echoes(http: Upstream) -> None:
    assert await_tools(http.port, 3) == ["echo", "echo_1", "echo_2"]
    with Probe(http.port) as probe:
        probe.check_echo("echo_2")


@pytest.mark.anyio
async def test_the_http_upstream_has_no_stream_to_get(http: Upstream) -> None:
    channel = await connect(http.port)
    assert (await ask(channel, 0, b"GET /mcp HTTP/1.1\r\nhost: x\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
    channel.close()


@pytest.mark.anyio
@pytest.mark.parametrize("stateless", [False, True])
async def test_calls_over_http_are_counted_and_none_is_wrong(http: Upstream, *, stateless: bool) -> None:
    load = Load([http.direct()], sessions=4, seconds=SHORT, warmup=0.05, stateless=stateless, pids=[http.pid])
    window = await generate(load)
    assert window.calls > 0
    assert window.errors == 0
    assert window.rate > 0
    assert window.cpu_us > 0
    assert 0 < window.p50_ms <= window.p99_ms


@pytest.mark.anyio
async def test_calls_over_stdio_are_counted_and_none_is_wrong() -> None:
    window = await generate(Load([fleet.stdio("stdio").direct()], sessions=4, seconds=SHORT))
    assert window.calls > 0
    assert window.errors == 0
    assert window.cpu_us > 0


@pytest.mark.anyio
async def test_an_answer_without_what_it_must_contain_is_an_error_and_not_a_call(http: Upstream) -> None:
    load = Load([http.direct()], sessions=2, seconds=SHORT, method="tools/list", contains='"echo_3"')
    window = await generate(load)
    assert window.calls == 0
    assert window.errors > 0


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


@pytest.mark.anyio
async def test_a_server_that_hangs_up_is_an_error_of_each_session_and_the_window_still_ends() -> None:
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        target = Target("echo", port=server.sockets[0].getsockname()[1])
        window = await generate(Load([target], sessions=3, seconds=SHORT, stateless=True))
    assert window.calls == 0
    assert window.errors == 3


@pytest.mark.anyio
async def test_a_measured_process_that_has_ended_is_no_result() -> None:
    quitter = (sys.executable, "-c", "import sys; sys.stdin.readline()")
    with pytest.raises(ProcessLookupError):
        await generate(Load([Target("echo", command=quitter)], sessions=3, seconds=SHORT, warmup=SHORT))


@given(st.integers(1, 400))
def test_a_response_is_whole_at_its_last_byte_and_not_before(split: int) -> None:
    by_length = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + b"x" * 300
    by_chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3\r\nabc\r\n" * 40 + b"0\r\n\r\n"
    for response in (by_length, by_chunks):
        assert is_whole(response)
        assert not is_whole(response[:-split])


def test_numbers_of_requests_never_change_their_length() -> None:
    template = messages.Template(messages.post(messages.call_body("echo")), messages.proof_of("tools/call"))
    number = next(messages.numbers)
    request, proof = template.numbered(number)
    assert len(request) == len(template.request)
    assert proof in request


@pytest.mark.anyio
async def test_cpu_time_and_memory_of_a_process_can_be_read(http: Upstream) -> None:
    before = cpu_seconds(http.pid)
    await generate(Load([http.direct()], sessions=1, seconds=SHORT))
    assert cpu_seconds(http.pid) > before
    assert rss_kib(http.pid) > 1024


def test_the_table_has_a_line_for_a_figure_with_its_target_its_direct_twin_and_their_ratio() -> None:
    samples = [Sample("calls-64.rate", value, direct=40_000.0) for value in (30_000.0, 10_000.0, 20_000.0)]
    line = table(summarise(samples)).splitlines()[-1]
    assert line.split() == ["a", "second", "1/s", "20,000", "15,000", "reached", "40,000", "0.5x"]


def test_an_error_and_a_warning_stand_below_their_figure() -> None:
    text = table(summarise([Sample("stdio-64.rate", 1.0, errors=2, warning="slow generator")]))
    assert "warning: slow generator" in text
    assert "ERROR: 2 answers" in text


def test_the_json_has_every_figure_with_its_extremes() -> None:
    summaries = summarise([Sample("start.initialize", value) for value in (0.3, 0.5, 0.2)])
    entry = msgspec.json.decode(msgspec.json.encode(as_json(summaries, {})))["figures"]["start.initialize"]
    assert (entry["low"], entry["value"], entry["high"], entry["reached"]) == (0.2, 0.3, 0.5, True)


def test_every_case_has_a_heading_in_the_table() -> None:
    assert table(summarise([Sample(f"{case.name}.rate", 1.0) for case in calls.CASES]))
