"""One attempt to hand an alert to a webhook: signed, to an address that was looked up before, no redirect followed."""

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final

from onemcp import __version__
from onemcp.config.webhooks import Webhook
from onemcp.net.fault import Fault, HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import split_url
from onemcp.net.pool import Limits
from onemcp.net.reach import look_up
from onemcp.ops.alerts.alert import Alert, body

ID: Final = "onemcp-id"
TIMESTAMP: Final = "onemcp-timestamp"
SIGNATURE: Final = "onemcp-signature"
_LIMITS: Final = Limits(connections=1, max_body=1 << 20)
_BUSY: Final = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the message."""
_ASKING: Final = frozenset({429, 503})
"""Statuses whose Retry-After is heeded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt."""

    error: str = ""
    """Why it was not taken, continuing a sentence that begins with the webhook; empty if it was."""
    is_theirs: bool = False
    """The webhook as a whole is not well, so that the next alert fares no better."""
    wait: float = 0.0
    """Seconds that it asks to be left alone (RFC 9110, 10.2.3); 0 if it asks nothing."""


def signature(secret: str, timestamp: str, content: bytes) -> str:
    """`sha256=` and the HMAC (RFC 2104) of `timestamp.content` in hexadecimal digits."""
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


async def post(webhook: Webhook, alert: Alert) -> Outcome:
    """Send an alert once; takes the webhook's timeout at most, and never raises for what the other side does."""
    try:
        async with asyncio.timeout(webhook.timeout):
            return _judged(*await _exchange(webhook, alert))
    except TimeoutError:
        return Outcome(f"did not answer within {webhook.timeout:g} s", is_theirs=True)
    except HttpError as error:
        return Outcome(error.what, is_theirs=error.fault is not Fault.TOO_LARGE)


async def _exchange(webhook: Webhook, alert: Alert) -> tuple[int, str]:
    """The status of the answer, and its Retry-After."""
    origin, target = split_url(webhook.url)
    address = await look_up(origin.host, origin.port, allow_private=webhook.allow_private)
    content = body(alert, webhook)
    timestamp = str(int(time.time()))
    headers = [
        ("content-type", "application/json"),
        ("user-agent", f"onemcp/{__version__}"),
        (ID, alert.id),
        (TIMESTAMP, timestamp),
    ]
    if webhook.secret:
        headers.append((SIGNATURE, signature(webhook.secret, timestamp, content)))
    async with HttpClient(replace(origin, address=address), _LIMITS) as client:
        response = await client.request("POST", target, headers, content, timeout=webhook.timeout)
        response.close()
        return response.status, response.header(b"retry-after")


def _judged(status: int, retry_after: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome()
    if 300 <= status < 400:
        return Outcome(f"answered with a redirect (status {status}), which is not followed")
    is_theirs = status >= 500 or status in _BUSY
    wait = _seconds(retry_after) if status in _ASKING else 0.0
    return Outcome(f"answered with status {status}", is_theirs, wait)


def _seconds(retry_after: str) -> float:
    """The seconds that a Retry-After means, a number or a date; 0 for what is neither, or past."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
