"""One POST on its way through the edge: what came and where the answer goes."""

from dataclasses import dataclass

from onemcp.web.asgi import Receive, Send
from onemcp.web.exchange import Exchange
from onemcp.web.views import Narrowing


@dataclass(slots=True)
class Post:
    """A request with its body read and its headers by lower-case name."""

    body: bytes
    headers: dict[bytes, bytes]
    raw_headers: list[tuple[bytes, bytes]]
    narrowing: Narrowing
    endpoint: str
    exchange: Exchange
    receive: Receive
    send: Send
