"""The few ASGI gestures that the edge needs, in its own words."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from onemcp.errors import RpcError
from onemcp.wire.envelope import PARSE_ERROR, encode, error_object, failure

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: Final = (b"content-type", b"application/json")


class TooLargeError(Exception):
    """The body is longer than the gateway takes."""


class GoneError(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        TooLargeError: after `limit` bytes; no more than that was kept.
        GoneError: the client closed the connection.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= limit:
        return body
    parts: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise GoneError
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLargeError
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()


async def respond(send: Send, status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    """One whole response."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: object, *headers: tuple[bytes, bytes]) -> None:
    """One JSON response."""
    await respond(send, status, encode(value), JSON, *headers)


async def refuse(send: Send, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
    """A refusal before any JSON-RPC message was read, as a JSON-RPC error without an id."""
    body = failure(None, error_object(RpcError(PARSE_ERROR if status == 400 else -32000, message)))
    await respond(send, status, body, JSON, *headers)
