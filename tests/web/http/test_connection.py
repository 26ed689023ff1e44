"""Bytes in, requests out, answers back: whatever a client does."""

import asyncio
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.web.http.conftest import MAX_BODY, Open

from onemcp.web.http.connection import HIGH_WATER, MAX_HEAD, MAX_HEADERS, MAX_PIPELINED
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response, header

pytestmark = pytest.mark.anyio


def post(body: bytes, *headers: str, path: str = "/x", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: h", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_request_arrives_whole_and_its_answer_goes_back(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"hello", "X-A: 1", "x-a:  2 \t", path="/a%20b?c=%20&d"))
        assert (await wire.answer())[::2] == (200, b"hello")
    (request,) = it.seen
    assert (request.method, request.path, request.query) == ("POST", "/a b", b"c=%20&d")
    assert request.headers[b"x-a"] == b"2"
    assert [value for name, value in request.header_lines if name == b"x-a"] == [b"1", b"2"]


@settings(max_examples=60)
@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 40), max_size=30),
    chunked=st.booleans(),
)
async def test_any_split_of_the_bytes_is_the_same_requests(
    bodies: list[bytes],
    cuts: list[int],
    chunked: bool,
) -> None:
    def encoded(body: bytes) -> bytes:
        if not chunked:
            return post(body)
        pieces = b"".join(
            b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)
        )
        return b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"

    data = b"".join(encoded(body) for body in bodies)
    open_site = pytest_site()
    async with open_site() as it, it.connect() as wire:
        for cut in cuts:
            wire.send(data[:cut])
            data = data[cut:]
            await asyncio.sleep(0)
        wire.send(data)
        assert [(await wire.answer())[2] for _ in bodies] == bodies


def pytest_site() -> Open:
    """The fixture's function, for a property that needs a fresh server for each example."""
    from tests.web.http import conftest

    return conftest.site.__wrapped__()  # type: ignore[attr-defined, no-any-return] # pytest keeps the function there


async def test_pipelined_requests_are_answered_in_order(site: Open) -> None:
    gate = asyncio.Event()

    async def slow_first(request: Request, response: Response) -> None:
        if request.body == b"0":
            await gate.wait()
        response.send(200, request.body)

    async with site(slow_first) as it, it.connect() as wire:
        count = MAX_PIPELINED * 3
        wire.send(b"".join(post(b"%d" % number) for number in range(count)))
        gate.set()
        assert [int((await wire.answer())[2]) for _ in range(count)] == list(range(count))


async def test_a_connection_is_kept_unless_somebody_asks_otherwise(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"1"))
        assert "connection" not in (await wire.answer())[1]
        wire.send(post(b"2", "Connection: close"))
        assert (await wire.answer())[1]["connection"] == "close"
        assert await wire.closed() == b""


async def test_an_old_client_gets_its_answer_and_the_end(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"1", version="1.0"))
        assert (await wire.closed()).endswith(b"\r\n\r\n1")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"A%d: x\r\n" % n for n in range(MAX_HEADERS + 1)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * (MAX_HEAD + 1) + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * (MAX_HEAD + 1) + b" HTTP/1.1\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_BODY + 1)
            + b"x" * (MAX_BODY + 1),
            413,
        ),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_the_connection_ends(
    site: Open, data: bytes, status: int
) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(data)
        assert (await wire.answer())[0] == status
        wire.writer.write_eof()
        await wire.closed()
        assert it.seen == []


async def test_a_refused_client_that_still_sends_gets_its_answer(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"x" * MAX_BODY * 20))
        assert (await wire.answer())[0] == 413


async def test_a_request_that_is_refused_does_not_take_the_answers_before_it(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"1") + b"nonsense\r\n\r\n")
        assert (await wire.answer())[2] == b"1"
        await wire.closed()


async def test_a_client_that_waits_for_permission_gets_it(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"x", "Expect: 100-continue")[:-1])
        assert (await wire.reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.send(b"x")
        assert (await wire.answer())[2] == b"x"


@pytest.mark.parametrize("split", [0, 3])
async def test_an_offer_to_upgrade_is_ignored(site: Open, split: int) -> None:
    data = post(b"hello", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    async with site() as it, it.connect() as wire:
        wire.send(data[: len(data) - split])
        if split:
            await asyncio.sleep(0)
            wire.send(data[-split:])
        wire.send(post(b"again"))
        assert (await wire.answer())[2] == b"hello"
        assert (await wire.answer())[2] == b"again"
        wire.send(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("line", ["CONNECT h:1", "POST /x"])
@pytest.mark.parametrize("is_split", [False, True])
async def test_who_offers_to_upgrade_with_a_body_of_unknown_length_is_refused(
    site: Open, line: str, is_split: bool
) -> None:
    head = f"{line} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with site() as it, it.connect() as wire:
        wire.send(head.encode() + (b"" if is_split else b"1\r\nx\r\n0\r\n\r\n" + post(b"behind")))
        assert (await wire.answer())[0] == 400
        wire.send(b"1\r\nx\r\n0\r\n\r\n" + post(b"behind"))
        wire.writer.write_eof()
        assert await wire.closed() == b""
        assert it.seen == []


async def test_a_trailer_decides_nothing(site: Open) -> None:
    chunks = b"5\r\nhello\r\n0\r\nX-A: evil\r\nHost: evil\r\n\r\n"
    async with site() as it, it.connect() as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert (await wire.answer())[2] == b"hello"
    (request,) = it.seen
    assert (request.headers[b"x-a"], request.headers[b"host"]) == (b"1", b"h")
    assert len(request.header_lines) == 3


async def test_head_has_the_length_and_no_body(site: Open) -> None:
    async def page(request: Request, response: Response) -> None:
        response.send(200, b"body")

    async with site(page) as it, it.connect() as wire:
        wire.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + post(b""))
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"content-length: 4" in head
        assert (await wire.answer())[2] == b"body"


async def test_a_defect_in_a_handler_is_a_500_and_the_connection_goes_on(
    site: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request, response: Response) -> None:
        if request.body == b"bad":
            raise KeyError("x")
        response.send(200)

    async with site(broken) as it, it.connect() as wire:
        wire.send(post(b"bad") + post(b"good"))
        assert [(await wire.answer())[0] for _ in range(2)] == [500, 200]
    assert "POST /x broke" in caplog.text


async def test_a_stream_comes_in_chunks_and_its_end_keeps_the_connection(site: Open) -> None:
    async def stream(request: Request, response: Response) -> None:
        response.begin(200, b"content-type: text/event-stream\r\n")
        for number in range(3):
            response.write(b"data: %d\n\n" % number)
        response.end()

    async with site(stream) as it, it.connect() as wire:
        for _ in range(2):
            wire.send(post(b""))
            status, headers, body = await wire.answer()
            assert (status, headers["content-type"]) == (200, "text/event-stream")
            assert body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_a_client_that_does_not_read_makes_the_stream_wait(site: Open) -> None:
    written = 0

    async def pour(request: Request, response: Response) -> None:
        nonlocal written
        response.begin(200, b"")
        while not response.gone:
            response.write(b"x" * 10_000)
            written += 10_000
            await response.drained()

    async with site(pour) as it:
        async with it.connect() as wire:
            wire.send(post(b""))
            before = -1
            async with asyncio.timeout(10):
                while written != before:
                    before = written
                    await asyncio.sleep(0.05)
            assert written < 30_000_000
        async with it.connect() as wire:
            wire.writer.transport.abort()


async def test_a_handler_hears_that_its_client_has_gone(site: Open) -> None:
    gone = asyncio.Event()
    began = asyncio.Event()

    async def wait(request: Request, response: Response) -> None:
        response.on_gone(gone.set)
        began.set()
        await gone.wait()

    async with site(wait) as it:
        async with it.connect() as wire:
            wire.send(post(b""))
            await began.wait()
        async with asyncio.timeout(5):
            await gone.wait()
        response_after = Response.__new__(Response)
        response_after.gone = True
        response_after.on_gone(gone.clear)
        assert not gone.is_set(), "one that comes too late is called at once"


async def test_a_half_sent_request_is_ended_by_the_sweep(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"hello")[:-2])
        async with asyncio.timeout(5):
            while not it.server.connections:
                await asyncio.sleep(0)
        (connection,) = it.server.connections
        async with asyncio.timeout(5):
            while connection._is_fresh:
                await asyncio.sleep(0)
        connection.deadline = it.server.now
        it.server._timer.cancel()  # type: ignore[union-attr] # armed as long as the server runs
        it.server.sweep()
        assert (await wire.answer())[0] == 408


async def test_an_idle_connection_is_ended_by_the_sweep_without_a_word(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"1"))
        await wire.answer()
        (connection,) = it.server.connections
        connection.deadline = it.server.now
        it.server._timer.cancel()  # type: ignore[union-attr] # armed as long as the server runs
        it.server.sweep()
        assert await wire.closed() == b""


@pytest.mark.parametrize(
    "unfinished",
    [
        b"GET /x HTTP/1.1\r\nX: ",
        b"GET /x HTTP/1.1\r\nX",
        b"GET /",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)
async def test_what_never_ends_is_refused_in_bounded_memory(site: Open, unfinished: bytes) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(unfinished + b"a" * (1 << 20))
        assert (await wire.answer())[0] == 431


@pytest.mark.parametrize("size", [MAX_HEAD + 1, MAX_HEAD])
@pytest.mark.parametrize("cut", [0, 10, MAX_HEAD // 2])
async def test_the_head_of_a_request_has_one_limit_also_behind_another_one(
    site: Open, size: int, cut: int
) -> None:
    first, rest = post(b"before"), b"GET /x HTTP/1.1\r\nHost: h\r\nX: "
    counted = len(b"/xHosthX")  # what stands between the parts is not
    rest += b"a" * (size - counted) + b"\r\n\r\n"
    async with site() as it, it.connect() as wire:
        wire.send(first + rest[: len(rest) - cut])
        assert (await wire.answer())[2] == b"before"
        wire.send(rest[len(rest) - cut :])
        wire.writer.write_eof()
        await wire.closed()
    assert len(it.seen) == (1 if size > MAX_HEAD else 2)


async def test_an_idle_connection_holds_nothing_of_its_last_request(site: Open) -> None:
    async with site() as it, it.connect() as wire:
        wire.send(post(b"body", "X-Large: " + "a" * 1000, path="/large"))
        await wire.answer()
        it.seen.clear()
        (connection,) = it.server.connections
        while not connection.is_idle:
            await asyncio.sleep(0)
        held = [
            gc.get_referents(each) for each in gc.get_referents(connection) if isinstance(each, dict | list)
        ]
        assert not [
            each
            for some in held
            for each in some
            if b"a" * 1000 in (each if isinstance(each, tuple) else (each,))
        ]


async def test_a_large_body_may_have_trailers_and_small_chunks(site: Open) -> None:
    body = b"0123456789" * (MAX_BODY // 10)
    chunks = b"".join(b"2\r\n%b\r\n" % body[i : i + 2] for i in range(0, len(body), 2))
    async with site() as it, it.connect() as wire:
        wire.send(
            b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + chunks
            + b"0\r\nHost: other\r\n\r\n"
        )
        assert (await wire.answer())[2] == body
    assert it.seen[0].headers[b"host"] == b"h"


async def test_who_does_not_read_is_not_answered_further(site: Open) -> None:
    large = b"x" * (2 * HIGH_WATER)

    async def answer(_: Request, response: Response) -> None:
        response.send(200, large)

    async with site(answer) as it, it.connect() as wire:
        count = 60
        wire.send(post(b"") * count)
        async with asyncio.timeout(5):
            while not any(connection.is_clogged for connection in it.server.connections):
                await asyncio.sleep(0)
            for _ in range(100):
                await asyncio.sleep(0)
        assert len(it.seen) < count
        for _ in range(count):
            assert (await wire.answer())[2] == large
        assert len(it.seen) == count


async def test_who_never_reads_its_answer_is_cut_off_by_the_sweep(site: Open) -> None:
    async def answer(_: Request, response: Response) -> None:
        response.send(200, b"x" * (32 << 20))

    async with site(answer) as it, it.connect() as wire:
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined] # a client that is stuck
        wire.send(post(b"", "Connection: close"))
        async with asyncio.timeout(5):
            while not any(connection.is_clogged for connection in it.server.connections):
                await asyncio.sleep(0)
        (connection,) = it.server.connections
        it.server._timer.cancel()  # type: ignore[union-attr] # armed as long as the server runs
        async with asyncio.timeout(5):
            while it.server.connections:
                connection.deadline = it.server.now
                it.server.sweep()
                it.server._timer.cancel()  # type: ignore[union-attr] # the sweep has armed it again
                await asyncio.sleep(0)


def test_a_header_cannot_begin_another_one() -> None:
    assert header(b"a", b"b") == b"a: b\r\n"
    for value in (b"x\r\ny: z", b"x\n", b"\0"):
        with pytest.raises(ValueError, match="one line"):
            header(b"a", value)
