"""One attempt at a webhook, whatever it does."""

import asyncio
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.http_peer import Handler, Peer, Received, Wire, answer, event_stream

from onemcp.config.webhooks import Webhook
from onemcp.ops.alerts.alert import body, make_test
from onemcp.ops.alerts.webhook import Outcome, post, signature

pytestmark = pytest.mark.anyio

ALERT = make_test(1000.0, "node")
SECRET = "0123456789abcdef"


def webhook(url: str, **members: Any) -> Webhook:
    return Webhook("id", url, "label", **{"allow_private": True, "timeout": 5.0, **members})


def status(code: int, headers: bytes = b"", content: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d x\r\n%bcontent-length: %d\r\n\r\n%b" % (code, headers, len(content), content)


def sending(*parts: bytes) -> Handler:
    async def handler(_: Received, wire: Wire) -> None:
        await wire.send(*parts)

    return handler


async def test_a_signed_alert_arrives_as_it_is() -> None:
    async with Peer(sending(status(204))) as peer:
        hook = webhook(f"http://127.0.0.1:{peer.port}/a/b?c=d", secret=SECRET)
        assert await post(hook, ALERT) == Outcome()
        (request,) = peer.requests
    assert (request.method, request.target, request.body) == ("POST", "/a/b?c=d", body(ALERT, hook))
    assert request.headers["content-type"] == "application/json"
    assert request.headers["onemcp-id"] == ALERT.id
    stamp = request.headers["onemcp-timestamp"]
    assert request.headers["onemcp-signature"] == signature(SECRET, stamp, request.body)


async def test_without_a_secret_nothing_is_signed() -> None:
    async with Peer(sending(status(200))) as peer:
        await post(webhook(peer.url), ALERT)
        assert "onemcp-signature" not in peer.requests[0].headers


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (status(200, b"", b"ok"), Outcome()),
        (event_stream(), Outcome()),
        (status(400), Outcome("answered with status 400")),
        (status(410), Outcome("answered with status 410")),
        (status(429), Outcome("answered with status 429", is_theirs=True)),
        (status(500), Outcome("answered with status 500", is_theirs=True)),
        (b"SMTP ready\r\n", None),
        (status(200, b"", b"x" * ((1 << 20) + 1)), None),
    ],
)
async def test_what_it_answers_is_what_became_of_it(sent: bytes, expected: Outcome | None) -> None:
    async with Peer(sending(sent)) as peer:
        outcome = await post(webhook(peer.url), ALERT)
    assert outcome == expected if expected is not None else outcome.error


@pytest.mark.parametrize(
    ("code", "said", "wait"),
    [
        (429, "120", 120.0),
        (503, "7", 7.0),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (503, "-5", 0.0),
        (429, "soon", 0.0),
        (500, "120", 0.0),
    ],
)
async def test_how_long_it_asks_to_be_left_alone_is_known(code: int, said: str, wait: float) -> None:
    async with Peer(sending(status(code, f"retry-after: {said}\r\n".encode()))) as peer:
        outcome = await post(webhook(peer.url), ALERT)
    assert outcome == Outcome(f"answered with status {code}", is_theirs=True, wait=wait)


async def test_it_may_name_the_moment() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    async with Peer(sending(status(503, f"retry-after: {moment}\r\n".encode()))) as peer:
        outcome = await post(webhook(peer.url), ALERT)
    assert 90 < outcome.wait <= 100


async def test_a_redirect_is_not_followed() -> None:
    async with Peer(sending(answer(b"{}"))) as target:
        away = status(307, f"location: {target.url}\r\n".encode())
        async with Peer(sending(away)) as peer:
            outcome = await post(webhook(peer.url), ALERT)
        assert target.requests == []
    assert outcome == Outcome("answered with a redirect (status 307), which is not followed")


async def test_a_silent_one_costs_its_timeout_and_no_more() -> None:
    async def silent(_: Received, wire: Wire) -> None:
        await wire.gone.wait()

    async with Peer(silent) as peer, asyncio.timeout(5):
        outcome = await post(webhook(peer.url, timeout=0.2), ALERT)
    assert outcome == Outcome("did not answer within 0.2 s", is_theirs=True)


async def test_one_that_is_not_there_is_not_well() -> None:
    async with Peer(sending(status(200))) as peer:
        url = peer.url
    outcome = await post(webhook(url), ALERT)
    assert (outcome.error, outcome.is_theirs) == (f"({url.removesuffix('/mcp')}) refuses connections", True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"])
async def test_an_address_of_the_own_network_is_not_even_connected_to(host: str) -> None:
    async with Peer(sending(status(200))) as peer:
        outcome = await post(webhook(f"http://{host}:{peer.port}/", allow_private=False), ALERT)
        assert (peer.requests, peer.connections) == ([], 0)
    assert "has an address that is not public" in outcome.error


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    process = await asyncio.create_subprocess_exec(
        *made.split(), "-keyout", tmp_path / "key", "-out", tmp_path / "crt", stderr=subprocess.DEVNULL
    )
    assert await process.wait() == 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    async with Peer(sending(status(200)), tls=tls) as peer:
        outcome = await post(webhook(f"https://localhost:{peer.port}/"), ALERT)
        assert peer.requests == []
    assert "certificate" in outcome.error
