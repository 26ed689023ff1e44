"""The streamable HTTP channel against an upstream that does what it is told, also wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.channels import until
from tests.support.http_peer import END, Peer, Received, Wire, answer, chunk, event_stream

from onemcp.core.spec import HttpTransport
from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.channel import Request
from onemcp.upstream.http import HttpChannel
from onemcp.upstream.status import HttpStatusError
from onemcp.wire.envelope import Envelope, encode

pytestmark = pytest.mark.anyio

LIMIT = 5.0
REVISION = "2025-11-25"
Play = Callable[[Received, Wire], Awaitable[None]]


def result(request: Received, value: object = "ok", *headers: str) -> bytes:
    """A JSON answer to a request."""
    body = {"jsonrpc": "2.0", "id": request.message["id"], "result": value}
    return answer(encode(body), "200 OK", *headers)


def failure(request: Received | None, status: str, code: int = -32000, message: str = "no") -> bytes:
    """A JSON-RPC error under a status; without an id where no request is given."""
    request_id = request.message.get("id") if request is not None else None
    body = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
    return answer(encode(body), status)


def event(message: object = None, **fields: object) -> bytes:
    """A chunk with one event."""
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return chunk(f"{lines}data: {encode(message).decode() if message is not None else ''}\n\n".encode())


def rpc_result(request: Received, value: object = "ok") -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request.message["id"], "result": value}


NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


class Upstream:
    """A handshake-era server; `play` answers what is not part of the handshake, `listen` the GET."""

    def __init__(self) -> None:
        self.sessions: list[str] = []
        self.alive: set[str] = set()
        self.keeps_sessions = True
        self.revision = REVISION
        self.loss = answer(b"", "404 Not Found")
        self.play: Play = self._ok
        self.listen: Play = self._no_stream

    async def __call__(self, request: Received, wire: Wire) -> None:
        session = request.headers.get("mcp-session-id", "")
        if request.method == "POST" and request.message.get("method") == "initialize":
            await self._initialize(request, wire)
        elif self.keeps_sessions and session not in self.alive:
            await wire.send(self.loss)
        elif request.method == "GET":
            await self.listen(request, wire)
        elif request.method == "DELETE":
            self.alive.discard(session)
            await wire.send(answer(b"", "204 No Content"))
        elif "id" in request.message and "method" in request.message:
            await self.play(request, wire)
        else:
            await wire.send(answer(b"", "202 Accepted"))

    async def _initialize(self, request: Received, wire: Wire) -> None:
        value = {
            "protocolVersion": self.revision,
            "capabilities": {},
            "serverInfo": {"name": "x", "version": "1"},
        }
        if not self.keeps_sessions:
            await wire.send(result(request, value))
            return
        self.sessions.append(f"s{len(self.sessions) + 1}")
        self.alive.add(self.sessions[-1])
        await wire.send(result(request, value, f"Mcp-Session-Id: {self.sessions[-1]}"))

    async def _ok(self, request: Received, wire: Wire) -> None:
        await wire.send(result(request))

    async def _no_stream(self, _: Received, wire: Wire) -> None:
        await wire.send(answer(b"", "405 Method Not Allowed"))


class Case:
    """One channel, its upstream and what came on its own."""

    def __init__(self, upstream: Upstream, peer: Peer, channel: HttpChannel, heard: list[Envelope]) -> None:
        self.upstream = upstream
        self.peer = peer
        self.channel = channel
        self.heard = heard

    async def ask(self, method: str = "tools/call", **options: Any) -> bytes:
        reply = await self.channel.request(Request(method, **{"timeout": LIMIT, **options}))
        return bytes(reply.result) or bytes(reply.error)

    async def fails(self, method: str = "tools/call", **options: Any) -> UpstreamError:
        with pytest.raises(UpstreamError) as raised:
            await self.ask(method, **options)
        return raised.value

    async def shake_hands(self) -> None:
        await self.ask("initialize", params=b'{"protocolVersion":"2025-11-25"}')
        self.channel.adopt(REVISION)
        await self.channel.notify("notifications/initialized")

    def asked(self, method: str) -> list[Received]:
        return [request for request in self.peer.requests if request.method == method]


@asynccontextmanager
async def channel_to(
    upstream: Upstream, *headers: tuple[str, str], shake: bool = True
) -> AsyncIterator[Case]:
    heard: list[Envelope] = []
    async with Peer(upstream) as peer:
        transport = HttpTransport(peer.url, headers=headers)
        channel = HttpChannel("up", transport, heard.append, meta=b'{"who":"me"}', max_bytes=100_000)
        case = Case(upstream, peer, channel, heard)
        try:
            if shake:
                await case.shake_hands()
            yield case
        finally:
            await channel.aclose()


# Headers


@pytest.mark.parametrize("revision", [REVISION, "2026-07-28"])
async def test_the_trace_of_a_request_is_in_its_headers_and_in_those_of_no_other(revision: str) -> None:
    trace = (("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"), ("tracestate", "a=1"))
    async with channel_to(Upstream()) as case:
        case.channel.adopt(revision)
        await case.ask(trace=trace)
        await case.ask()
        calls = [request for request in case.asked("POST") if request.message.get("method") == "tools/call"]
    traced, other = (request.headers for request in calls)
    assert dict(trace).items() <= traced.items()
    assert not dict(trace).keys() & other.keys()


async def test_a_request_says_session_and_revision_and_what_was_configured() -> None:
    headers = (("Authorization", "Bearer t"), ("Accept", "text/html"), ("Mcp-Session-Id", "forged"))
    async with channel_to(Upstream(), *headers) as case:
        assert await case.ask(params=b'{\n"name":"x"}') == b'"ok"'
        first, note, call = [request for request in case.peer.requests if request.method == "POST"]
        assert "mcp-session-id" not in first.headers
        assert "mcp-protocol-version" not in first.headers
        assert call.headers["mcp-session-id"] == note.headers["mcp-session-id"] == "s1"
        assert call.headers["mcp-protocol-version"] == REVISION
        assert call.headers["authorization"] == "Bearer t"
        assert call.headers["accept"] == "application/json, text/event-stream"
        assert call.headers["content-type"] == "application/json"
        assert call.headers["user-agent"] == "onemcp"
        assert call.body == b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}'
        assert "mcp-method" not in call.headers


async def test_a_stateless_request_repeats_in_headers_what_it_is_about() -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False
    async with channel_to(upstream, shake=False) as case:
        await case.ask("server/discover")
        case.channel.adopt("2026-07-28")
        await case.ask("tools/call", name="ä", headers=(("Mcp-Param-Region", "eu"),))
        await case.ask("tools/list")
        posts = [
            request for request in case.peer.requests if request.message["method"] != "subscriptions/listen"
        ]
        probe, call, listing = posts
        assert probe.headers["mcp-protocol-version"] == "2026-07-28"
        assert probe.headers["mcp-method"] == "server/discover"
        assert call.headers["mcp-protocol-version"] == "2026-07-28"
        assert call.headers["mcp-method"] == "tools/call"
        assert call.headers["mcp-name"] == "=?base64?w6Q=?="
        assert call.headers["mcp-param-region"] == "eu"
        assert listing.headers["mcp-method"] == "tools/list"
        assert not {"mcp-name", "mcp-param-region"} & set(listing.headers)


@pytest.mark.parametrize(
    "transport",
    [
        HttpTransport("ftp://example.test/"),
        HttpTransport("http://user:secret@example.test/"),
        HttpTransport("http://example.test/", headers=(("X-Key", "a\r\nb: c"),)),
    ],
)
async def test_an_entry_that_cannot_be_used_says_so_at_once(transport: HttpTransport) -> None:
    with pytest.raises(UpstreamError) as refused:
        HttpChannel("up", transport, print)
    assert refused.value.reason is Reason.UNFIT
    assert "secret" not in str(refused.value)


# Answers


async def test_an_answer_comes_after_other_messages_on_a_stream() -> None:
    upstream = Upstream()

    async def play(request: Received, wire: Wire) -> None:
        stranger = {"jsonrpc": "2.0", "id": "2", "result": "not yours"}
        await wire.send(
            event_stream() + chunk(b": hello\n\n") + event(NOTE), event(stranger), chunk(b"data: {oops\n\n")
        )
        await wire.send(event({"jsonrpc": "2.0", "id": "srv", "method": "ping"}, event="message"))
        await wire.send(event(NOTE, event="other") + event(rpc_result(request)) + END)

    upstream.play = play
    async with channel_to(upstream) as case:
        mine: list[Envelope] = []
        assert await case.ask(sink=mine.append) == b'"ok"'
        assert [message.method for message in mine] == ["notifications/message", "ping"]
        assert (case.heard, case.channel.strays) == ([], 2)
        await case.ask()
        assert [message.method for message in case.heard] == ["notifications/message", "ping"]


@pytest.mark.parametrize("kind", ["body", "event"])
async def test_a_batch_is_opened(kind: str) -> None:
    upstream = Upstream()

    async def play(request: Received, wire: Wire) -> None:
        batch = [NOTE, rpc_result(request)]
        await wire.send(answer(encode(batch)) if kind == "body" else event_stream() + event(batch) + END)

    upstream.play = play
    async with channel_to(upstream) as case:
        assert await case.ask() == b'"ok"'
        assert len(case.heard) == 1


async def test_streams_that_are_over_give_their_connections_back() -> None:
    upstream = Upstream()

    async def play(request: Received, wire: Wire) -> None:
        await wire.send(event_stream() + event(rpc_result(request)), END)

    upstream.play = play
    async with channel_to(upstream) as case:
        for _ in range(5):
            await case.ask()
            await until(lambda: "streams=0" in repr(case.channel._endpoint._client))
        assert case.peer.connections <= 2


@pytest.mark.parametrize(
    ("wire_answer", "reason"),
    [
        (answer(b"<html>", kind="text/html"), Reason.PROTOCOL),
        (answer(b"", "202 Accepted"), Reason.PROTOCOL),
        (answer(b'{"jsonrpc":"2.0","id":99,"result":1}'), Reason.PROTOCOL),
        (answer(b'{"jsonrpc":"2.0","id":"2","result":1}'), Reason.PROTOCOL),
        (answer(b"[" * 50_000), Reason.PROTOCOL),
        (answer(b'"' + b"x" * 200_000 + b'"'), Reason.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", Reason.TOO_LARGE),
        (event_stream() + chunk(b"data: " + b"x" * 200_000) + chunk(b"\n\n"), Reason.TOO_LARGE),
        (event_stream() + END, Reason.STREAM_LOST),
        (event_stream() + chunk(b"oops"), Reason.STREAM_LOST),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Reason.UNREACHABLE),
        (b"nonsense\r\n\r\n", Reason.PROTOCOL),
    ],
)
async def test_an_answer_that_is_none_is_an_error_that_may_have_run(
    wire_answer: bytes, reason: Reason
) -> None:
    upstream = Upstream()

    async def play(_: Received, wire: Wire) -> None:
        await wire.send(wire_answer)
        wire.close()

    upstream.play = play
    async with channel_to(upstream) as case:
        error = await case.fails()
        assert (error.reason, error.ran, error.server) == (reason, True, "up")
        case.peer.hang_up()
        await until(lambda: "open=0" in repr(case.channel._endpoint._client))
        upstream.play = upstream._ok
        assert await case.ask() == b'"ok"'


async def test_a_refused_connection_fails_the_call_and_not_the_channel() -> None:
    async with channel_to(Upstream()) as case:
        case.peer.hang_up()
        assert case.peer._server is not None
        case.peer._server.close()
        await until(lambda: "open=0" in repr(case.channel._endpoint._client))
        error = await case.fails()
        assert (error.reason, error.ran) == (Reason.UNREACHABLE, False)
        assert not case.channel.closed.done()


@pytest.mark.parametrize(
    ("headers", "status", "reason", "ran", "words"),
    [
        (
            ("www-authenticate: Bearer scope=x",),
            "401 Unauthorized",
            Reason.UNAUTHORIZED,
            False,
            "Bearer scope=x",
        ),
        ((), "403 Forbidden", Reason.UNAUTHORIZED, False, "403"),
        (("retry-after: 7",), "429 Too Many Requests", Reason.UNREACHABLE, False, "Retry-After: 7"),
        ((), "503 Service Unavailable", Reason.UNREACHABLE, False, "503"),
        ((), "502 Bad Gateway", Reason.UNREACHABLE, True, "502"),
        (("location: http://x/y?key=1",), "307 Temporary Redirect", Reason.PROTOCOL, False, "http://x/y)"),
        ((), "413 Content Too Large", Reason.TOO_LARGE, False, "413"),
        ((), "500 Internal Server Error", Reason.PROTOCOL, True, "500 Internal Server Error: out of ink"),
    ],
)
async def test_a_status_says_what_it_means(
    headers: tuple[str, ...],
    status: str,
    reason: Reason,
    ran: bool,
    words: str,
) -> None:
    upstream = Upstream()

    async def play(_: Received, wire: Wire) -> None:
        await wire.send(answer(b"out of\n ink", status, *headers, kind="text/plain"))

    upstream.play = play
    async with channel_to(upstream, ("authorization", "Bearer hidden")) as case:
        error = await case.fails()
        assert isinstance(error, HttpStatusError)
        assert (error.reason, error.ran, error.status) == (reason, ran, int(status[:3]))
        assert words in error.what
        assert "hidden" not in error.what


async def test_before_the_revision_is_agreed_a_status_is_never_an_answer() -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False

    async def play(request: Received, wire: Wire) -> None:
        await wire.send(failure(request, "400 Bad Request", -32022))

    upstream.play = play
    async with channel_to(upstream, shake=False) as case:
        error = await case.fails("server/discover")
        assert isinstance(error, HttpStatusError)
        assert (error.status, error.code) == (400, -32022)


@pytest.mark.parametrize("owned", [True, False])
async def test_a_stateless_error_is_an_answer_under_any_status(owned: bool) -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False

    async def play(request: Received, wire: Wire) -> None:
        await wire.send(failure(request if owned else None, "404 Not Found", -32601))

    upstream.play = play
    async with channel_to(upstream, shake=False) as case:
        case.channel.adopt("2026-07-28")
        assert await case.ask() == b'{"code":-32601,"message":"no"}'


async def test_a_handshake_error_is_an_answer_only_to_its_own_request() -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False
    mine = True

    async def play(request: Received, wire: Wire) -> None:
        await wire.send(failure(request if mine else None, "400 Bad Request", -32602))

    upstream.play = play
    async with channel_to(upstream) as case:
        assert b"-32602" in await case.ask()
        mine = False
        error = await case.fails()
        assert isinstance(error, HttpStatusError)
        assert error.code == -32602


# Giving up


async def test_a_call_that_takes_too_long_is_cancelled_by_a_notification() -> None:
    upstream = Upstream()

    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    upstream.play = silent
    async with channel_to(upstream) as case:
        error = await case.fails(timeout=0.05)
        assert (error.reason, error.ran) == (Reason.TIMEOUT, True)
        assert "within 0.05 s" in error.what
        await until(lambda: case.peer.methods()[-1] == "notifications/cancelled")
        assert case.peer.requests[-1].message["params"]["requestId"] == 2


@pytest.mark.parametrize(("head", "told"), [(b"", 2), (event_stream(), 1)])
async def test_a_cancellation_that_may_have_come_first_is_told_again(head: bytes, told: int) -> None:
    upstream = Upstream()
    begun = asyncio.Event()

    async def silent(_: Received, wire: Wire) -> None:
        await wire.send(head)
        begun.set()
        await wire.gone.wait()

    upstream.play = silent
    async with channel_to(upstream) as case:
        waiting = asyncio.create_task(case.ask())
        await asyncio.wait_for(begun.wait(), LIMIT)
        waiting.cancel()
        await until(lambda: case.peer.methods().count("notifications/cancelled") == told)


@pytest.mark.parametrize("head", [b"", event_stream()])
async def test_a_stateless_call_that_is_given_up_is_disconnected_and_nothing_more(head: bytes) -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False
    gone = asyncio.Event()

    async def silent(_: Received, wire: Wire) -> None:
        await wire.send(head)
        await wire.gone.wait()
        gone.set()

    async def refuse(request: Received, wire: Wire) -> None:
        listening = request.message["method"] == "subscriptions/listen"
        await (wire.send(failure(request, "404 Not Found", -32601)) if listening else silent(request, wire))

    upstream.play = refuse
    async with channel_to(upstream, shake=False) as case:
        case.channel.adopt("2026-07-28")
        waiting = asyncio.create_task(case.ask())
        await until(lambda: "tools/call" in case.peer.methods())
        waiting.cancel()
        await asyncio.wait_for(gone.wait(), LIMIT)
        assert set(case.peer.methods()) == {"tools/call", "subscriptions/listen"}


async def test_answers_of_ours_are_posted() -> None:
    async with channel_to(Upstream()) as case:
        case.channel.respond(b'{"jsonrpc":"2.0","id":"srv",\n"result":{}}')
        await until(lambda: b"srv" in case.peer.requests[-1].body)
        assert case.peer.requests[-1].body == b'{"jsonrpc":"2.0","id":"srv","result":{}}'
        await case.channel.aclose()
        case.channel.respond(b"{}")


# Resuming


async def test_a_stream_is_resumed_from_its_last_event_until_the_answer_comes() -> None:
    upstream = Upstream()
    asked: list[Received] = []
    delays: list[float] = []
    ended = 0.0

    async def play(request: Received, wire: Wire) -> None:
        nonlocal ended
        asked.append(request)
        await wire.send(event_stream() + event(id="a", retry=80) + END)
        ended = asyncio.get_running_loop().time()

    async def listen(request: Received, wire: Wire) -> None:
        nonlocal ended
        match request.headers.get("last-event-id"):
            case None:
                await wire.send(answer(b"", "405 Method Not Allowed"))
            case "a":
                delays.append(asyncio.get_running_loop().time() - ended)
                await wire.send(event_stream() + event(NOTE, id="b", retry=0) + END)
            case "b":
                await wire.send(event_stream() + event(rpc_result(asked[0]), id="c") + END)

    upstream.play, upstream.listen = play, listen
    async with channel_to(upstream) as case:
        assert await case.ask() == b'"ok"'
        assert [message.method for message in case.heard] == ["notifications/message"]
        assert len(asked) == 1
        assert delays[0] >= 0.07


async def test_resuming_ends_when_it_brings_nothing_new() -> None:
    upstream = Upstream()

    async def streaming(_: Received, wire: Wire) -> None:
        await wire.send(event_stream() + event(id="a", retry=0) + END)

    upstream.play = upstream.listen = streaming
    async with channel_to(upstream) as case:
        error = await case.fails()
        assert (error.reason, error.ran) == (Reason.STREAM_LOST, True)
        resumed = [request for request in case.asked("GET") if request.headers.get("last-event-id") == "a"]
        assert len(resumed) >= 1


async def test_a_resumption_that_is_refused_is_a_lost_stream() -> None:
    upstream = Upstream()

    async def play(_: Received, wire: Wire) -> None:
        await wire.send(event_stream() + event(id="a", retry=0) + END)

    upstream.play = play
    async with channel_to(upstream) as case:
        assert (await case.fails()).reason is Reason.STREAM_LOST


# Sessions


LOSSES = [
    answer(b"", "404 Not Found"),
    failure(None, "404 Not Found", -32600, "Session not found"),
    failure(None, "400 Bad Request", -32000, "Bad Request: No valid session ID provided"),
    failure(None, "400 Bad Request", -32000, "Bad Request: Server not initialized"),
    answer(b"Invalid or expired session", "400 Bad Request", kind="text/plain"),
    answer(b"session terminated", "410 Gone", kind="text/plain"),
]


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_session_is_begun_anew_once_for_all_who_noticed(loss: bytes) -> None:
    upstream = Upstream()
    upstream.loss = loss
    async with channel_to(upstream) as case:
        renewals: list[None] = []
        case.channel.on_reinitialized = lambda: renewals.append(None)
        upstream.alive.clear()
        assert await asyncio.gather(*(case.ask() for _ in range(10))) == [b'"ok"'] * 10
        assert upstream.sessions == ["s1", "s2"]
        assert len(renewals) == 1
        first, second = [request for request in case.peer.requests if b'"initialize"' in request.body]
        assert first.message["params"] == second.message["params"]
        assert "mcp-session-id" not in second.headers
        assert case.peer.methods().count("notifications/initialized") == 2


async def test_a_look_at_the_upstream_begins_no_session_anew() -> None:
    upstream = Upstream()
    async with channel_to(upstream) as case:
        upstream.alive.clear()
        with pytest.raises(UpstreamError) as caught:
            await case.channel.request(Request("ping", timeout=LIMIT, renews=False))
        assert caught.value.reason is Reason.SESSION_LOST
        assert upstream.sessions == ["s1"]
        assert not case.channel.closed.done()
        assert await case.ask() == b'"ok"'
        assert upstream.sessions == ["s1", "s2"]


async def test_a_notification_that_meets_a_lost_session_is_sent_again() -> None:
    upstream = Upstream()
    async with channel_to(upstream) as case:
        upstream.alive.clear()
        await case.channel.notify("notifications/roots/list_changed")
        last = case.peer.requests[-1]
        assert last.headers["mcp-session-id"] == "s2"


async def test_a_session_that_is_lost_again_at_once_is_not_begun_for_ever() -> None:
    upstream = Upstream()

    async def forgetful(_: Received, wire: Wire) -> None:
        await wire.send(upstream.loss)

    upstream.play = forgetful
    async with channel_to(upstream) as case:
        error = await case.fails()
        assert (error.reason, error.ran) == (Reason.SESSION_LOST, False)
        assert upstream.sessions == ["s1", "s2"]
        assert not case.channel.closed.done()


async def test_a_session_that_cannot_be_begun_anew_closes_the_channel() -> None:
    upstream = Upstream()
    async with channel_to(upstream) as case:
        upstream.alive.clear()
        upstream.revision = "2024-11-05"
        errors = await asyncio.gather(*(case.fails() for _ in range(5)))
        assert {(error.reason, error.ran) for error in errors} == {(Reason.SESSION_LOST, False)}
        assert "no new one could be begun" in case.channel.closed.result()
        assert (await case.fails()).ran is False
        assert len(upstream.sessions) == 2


async def test_a_bad_request_in_a_session_is_not_taken_for_its_loss() -> None:
    upstream = Upstream()

    async def play(request: Received, wire: Wire) -> None:
        await wire.send(failure(request, "400 Bad Request", -32602, "no such argument"))

    upstream.play = play
    async with channel_to(upstream) as case:
        assert b"-32602" in await case.ask()
        assert upstream.sessions == ["s1"]


async def test_an_upstream_without_sessions_is_not_found_and_that_is_all() -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False

    async def play(_: Received, wire: Wire) -> None:
        await wire.send(answer(b"", "404 Not Found"))

    upstream.play = play
    async with channel_to(upstream) as case:
        error = await case.fails()
        assert isinstance(error, HttpStatusError)
        assert case.peer.methods().count("initialize") == 1


async def test_closing_ends_the_session_and_is_bounded() -> None:
    upstream = Upstream()

    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with channel_to(upstream) as case:
        upstream.play = silent
        waiting = asyncio.create_task(case.fails())
        await until(lambda: "tools/call" in case.peer.methods())
        await asyncio.wait_for(case.channel.aclose(), LIMIT)
        assert (await waiting).reason is Reason.STOPPING
        assert upstream.alive == set()
        assert case.channel.closed.result() == "was disconnected"
        await case.channel.aclose()
        assert (await case.fails()).reason is Reason.STOPPING


# Listening


async def test_the_upstream_is_listened_to_and_again_after_a_break() -> None:
    upstream = Upstream()
    streams = 0

    async def listen(request: Received, wire: Wire) -> None:
        nonlocal streams
        streams += 1
        assert request.headers["accept"] == "text/event-stream"
        if streams == 1:
            await wire.send(event_stream() + event(CHANGED, id="e1", retry=10), b"oops")
        else:
            await wire.send(event_stream() + event(CHANGED, id="e2"))
            await wire.gone.wait()

    upstream.listen = listen
    async with channel_to(upstream) as case:
        await until(lambda: len(case.heard) == 2)
        assert [request.headers.get("last-event-id") for request in case.asked("GET")] == [None, "e1"]
        assert await case.ask() == b'"ok"'


@pytest.mark.parametrize(("event_id", "told"), [("", 1), ("id: e1\n", 0)])
async def test_a_gap_in_what_was_heard_is_told_unless_the_stream_was_resumed(
    event_id: str, told: int
) -> None:
    upstream = Upstream()
    wires = [
        event_stream() + chunk(f"{event_id}retry: 10\ndata:\n\n".encode()) + END,
        answer(b"", "503 Service Unavailable"),
        event_stream() + event(CHANGED),
    ]

    async def listen(_: Received, wire: Wire) -> None:
        await wire.send(wires.pop(0))
        if not wires:
            await wire.gone.wait()

    upstream.listen = listen
    async with channel_to(upstream) as case:
        gaps: list[None] = []
        case.channel.on_reinitialized = lambda: gaps.append(None)
        await until(lambda: len(case.heard) == 1)
        assert len(gaps) == told


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "404 Not Found", "400 Bad Request", "501 X"])
async def test_an_upstream_that_offers_no_stream_is_left_alone(status: str) -> None:
    upstream = Upstream()

    async def listen(_: Received, wire: Wire) -> None:
        await wire.send(answer(b"", status))

    upstream.listen = listen
    async with channel_to(upstream) as case:
        await until(lambda: bool(case.asked("GET")))
        if status[0] == "4":
            task = case.channel._listening
            assert task is not None
            await asyncio.wait_for(task, LIMIT)
        assert await case.ask() == b'"ok"'
        assert upstream.sessions == ["s1"]


async def test_a_session_that_the_listening_stream_finds_lost_is_begun_anew() -> None:
    upstream = Upstream()

    async def listen(_: Received, wire: Wire) -> None:
        if upstream.sessions == ["s1"]:
            upstream.alive.clear()
            await wire.send(event_stream() + event(retry=10) + END)
        else:
            await wire.send(event_stream() + event(CHANGED))
            await wire.gone.wait()

    upstream.listen = listen
    async with channel_to(upstream) as case:
        await until(lambda: len(case.heard) == 1)
        assert upstream.sessions == ["s1", "s2"]
        assert await case.ask() == b'"ok"'


async def test_a_stateless_upstream_is_subscribed_to() -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False
    acknowledged = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}

    async def play(request: Received, wire: Wire) -> None:
        if len(case.peer.methods()) == 1:
            end = event(rpc_result(request))
            await wire.send(event_stream() + event(acknowledged, retry=10) + event(CHANGED) + end + END)
        else:
            await wire.send(event_stream() + event(acknowledged) + event(CHANGED))
            await wire.gone.wait()

    upstream.play = play
    async with channel_to(upstream, shake=False) as case:
        case.channel.adopt("2026-07-28")
        await until(lambda: len(case.heard) == 2)
        assert {message.method for message in case.heard} == {"notifications/tools/list_changed"}
        first, second = case.peer.requests
        assert first.headers["mcp-method"] == "subscriptions/listen"
        assert first.message["params"] == {
            "notifications": {
                "toolsListChanged": True,
                "promptsListChanged": True,
                "resourcesListChanged": True,
            },
            "_meta": {"who": "me"},
        }
        assert first.message["id"] != second.message["id"]


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_a_stateless_upstream_without_subscriptions_is_left_alone(status: str) -> None:
    upstream = Upstream()
    upstream.keeps_sessions = False

    async def play(request: Received, wire: Wire) -> None:
        listening = request.message["method"] == "subscriptions/listen"
        await wire.send(failure(request, status, -32601) if listening else result(request))

    upstream.play = play
    async with channel_to(upstream, shake=False) as case:
        case.channel.adopt("2026-07-28")
        task = case.channel._listening
        assert task is not None
        await asyncio.wait_for(task, LIMIT)
        assert await case.ask() == b'"ok"'


# Watching resources


def watched(request: Received) -> list[str] | None:
    """The resources that a request subscribes to; None for any other request."""
    found: list[str] | None = request.message["params"].get("notifications", {}).get("resourceSubscriptions")
    return found


def acknowledgement(request: Received) -> dict[str, object]:
    filters = request.message["params"]["notifications"]
    return {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": filters},
    }


class Watchable:
    """A stateless upstream whose resources can be watched; `gone` are the sets whose stream was closed on it."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gone: list[list[str]] = []
        self.refuses = False
        self.breaks = 0
        """So many streams end at once."""
        self.wires: list[Wire] = []

    async def __call__(self, request: Received, wire: Wire) -> None:
        uris = watched(request)
        if uris is None:
            await wire.send(event_stream() + event(acknowledgement(request)))
            await wire.gone.wait()
            return
        self.asked.append(uris)
        if self.refuses:
            await wire.send(failure(request, "404 Not Found", -32601, "Method not found"))
            return
        self.wires.append(wire)
        await wire.send(event_stream() + event(acknowledgement(request), retry=10))
        if self.breaks:
            self.breaks -= 1
            await wire.send(END)
            return
        await wire.gone.wait()
        self.gone.append(uris)

    async def update(self, uri: str) -> None:
        message = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
        await self.wires[-1].send(event(message))


@asynccontextmanager
async def watching(upstream: Watchable) -> AsyncIterator[Case]:
    server = Upstream()
    server.keeps_sessions = False
    server.play = upstream
    async with channel_to(server, shake=False) as case:
        case.channel.adopt("2026-07-28")
        yield case


async def test_resources_are_watched_on_a_stream_that_is_replaced_when_they_change() -> None:
    upstream = Watchable()
    async with watching(upstream) as case:
        assert await case.channel.watch(frozenset({"a:1"})) == {"a:1"}
        assert await case.channel.watch(frozenset({"a:1", "a:2"})) == {"a:1", "a:2"}
        await until(lambda: upstream.gone == [["a:1"]])
        await upstream.update("a:2")
        await until(lambda: [message.method for message in case.heard] == ["notifications/resources/updated"])
        assert await case.channel.watch(frozenset()) == frozenset()
        await until(lambda: upstream.gone == [["a:1"], ["a:1", "a:2"]])


async def test_an_upstream_whose_resources_cannot_be_watched_says_so() -> None:
    upstream = Watchable()
    upstream.refuses = True
    async with watching(upstream) as case:
        with pytest.raises(RpcError, match="Method not found") as caught:
            await case.channel.watch(frozenset({"a:1"}))
        assert caught.value.code == -32601


async def test_a_watching_stream_that_breaks_is_opened_again_and_something_may_have_been_missed() -> None:
    upstream = Watchable()
    upstream.breaks = 1
    async with watching(upstream) as case:
        missed: list[None] = []
        case.channel.on_missed = lambda: missed.append(None)
        await case.channel.watch(frozenset({"a:1"}))
        await until(lambda: len(missed) == 1)
        assert upstream.asked == [["a:1"], ["a:1"]]
        await case.channel.aclose()
        await until(lambda: upstream.gone == [["a:1"]])


async def test_news_that_come_with_an_answer_go_where_all_news_go() -> None:
    upstream = Upstream()
    updated = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a:1"}}

    async def play(request: Received, wire: Wire) -> None:
        news = event(NOTE) + event(updated) + event(CHANGED)
        await wire.send(event_stream() + news + event(rpc_result(request)) + END)

    upstream.play = play
    async with channel_to(upstream) as case:
        sink: list[Envelope] = []
        await case.channel.request(Request("tools/call", b"{}", LIMIT, sink=sink.append))
        assert [message.method for message in sink] == ["notifications/message"]
        assert [message.method for message in case.heard] == [updated["method"], CHANGED["method"]]
