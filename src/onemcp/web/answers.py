"""The answers that are no JSON-RPC answer to a request: refusals, and small JSON documents."""

from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.told import passed_on, told
from onemcp.ops.drain import refused
from onemcp.upstream.channel import Reply
from onemcp.web.http.response import JSON, Response
from onemcp.wire.envelope import ABSENT, INVALID_REQUEST, encode, failure, success

NO_STORE: Final = b"cache-control: no-store\r\n"
RETRY_AFTER: Final = b"retry-after: 5\r\n"
"""Seconds in which a gateway that stops is likely to be back, or another one in its place."""


def answer_json(response: Response, status: int, value: object, headers: bytes = b"") -> None:
    """A JSON document."""
    response.send(status, encode(value), JSON + headers)


def refuse(response: Response, status: int, message: str, headers: bytes = b"") -> None:
    """A refusal before any message was read, as a JSON-RPC error without an id."""
    response.send(status, failed(response, None, RpcError(INVALID_REQUEST, message)), JSON + headers)


def failed(response: Response, request_id: Raw | None, error: RpcError) -> bytes:
    """The message for a request that the gateway answers with an error of its own; the answer will name the request."""
    response.name_request()
    return failure(request_id, told(error))


def answered(response: Response, request_id: Raw, reply: Reply) -> bytes:
    """The message for a request that an upstream, or the gateway in its place, has answered."""
    if reply.error is not ABSENT:
        return failed_upstream(response, request_id, reply.error)
    return success(request_id, reply.result)


def failed_upstream(response: Response, request_id: Raw, error: Raw) -> bytes:
    """The same for an error object of an upstream, which stays as it is."""
    response.name_request()
    return failure(request_id, passed_on(error))


def refuse_new(response: Response, request_id: Raw | None = None, error: RpcError | None = None) -> None:
    """A refusal because the gateway is about to stop, or for what `error` says; nothing was done."""
    error = error or refused()
    response.send(error.status, failed(response, request_id, error), JSON + NO_STORE + RETRY_AFTER)
