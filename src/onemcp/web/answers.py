"""The answers that are no JSON-RPC answer to a request: refusals, and small JSON documents."""

from typing import Final

from onemcp.errors import RpcError
from onemcp.web.http.response import JSON, Response
from onemcp.wire.envelope import INVALID_REQUEST, encode, error_object, failure

NO_STORE: Final = b"cache-control: no-store\r\n"


def answer_json(response: Response, status: int, value: object, headers: bytes = b"") -> None:
    """A JSON document."""
    response.send(status, encode(value), JSON + headers)


def refuse(response: Response, status: int, message: str, headers: bytes = b"") -> None:
    """A refusal before any message was read, as a JSON-RPC error without an id."""
    response.send(status, failure(None, error_object(RpcError(INVALID_REQUEST, message))), JSON + headers)
