"""Upstreams on HTTP that answer well, oddly, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from onemcp.core.spec import HttpTransport, UpstreamSpec
from onemcp.ops.checkup import Grade
from onemcp.ops.reachability import reach

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def peer(head: bytes) -> AsyncIterator[int]:
    """A server that answers everything with this head."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(head)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def spec(port: int, scheme: str = "http") -> UpstreamSpec:
    return UpstreamSpec("a", HttpTransport(f"{scheme}://127.0.0.1:{port}/mcp"))


@pytest.mark.parametrize(
    ("head", "grade", "words"),
    [
        (b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n", Grade.OK, "answers (status 405)"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", Grade.OK, "answers (status 200)"),
        (b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", Grade.WARNING, "wants credentials"),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", Grade.WARNING, "knows no such path"),
        (b"HTTP/1.1 502 No\r\ncontent-length: 0\r\n\r\n", Grade.BAD, "status 502"),
        (
            b"HTTP/1.1 405 No\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\ncontent-length: 0\r\n\r\n",
            Grade.WARNING,
            "its clock differs",
        ),
        (b"220 mail ready\r\n", Grade.BAD, "HTTP"),
    ],
)
async def test_what_an_answer_says(head: bytes, grade: Grade, words: str) -> None:
    async with peer(head) as port:
        (finding,) = await reach([spec(port)], 5.0)
    assert finding.grade is grade
    assert words in finding.what
    assert bool(finding.fix) is (grade is not Grade.OK)


async def test_a_server_without_tls_is_told_as_such() -> None:
    async with peer(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n") as port:
        (finding,) = await reach([spec(port, "https")], 5.0)
    assert finding.grade is Grade.BAD
    assert "TLS" in finding.what


async def test_a_url_that_cannot_be_asked_is_told() -> None:
    odd = UpstreamSpec("a", HttpTransport("http://user:pw@127.0.0.1/mcp"))
    (finding,) = await reach([odd], 5.0)
    assert finding.grade is Grade.BAD
    assert "pw" not in finding.what


async def test_only_enabled_servers_on_http_are_asked() -> None:
    off = UpstreamSpec("off", HttpTransport("http://127.0.0.1:9/mcp"), disabled=True)
    assert await reach([off, UpstreamSpec("none", None)], 5.0) == []
