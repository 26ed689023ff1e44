"""Errors that clients are told: each carries the request id, and what is not a client's own mistake is logged.

The error objects of upstreams pass unchanged; their request id is in the header of the answer.
"""

import logging
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.gateway.failures import REQUEST_TIMEOUT
from onemcp.gateway.trail import request_id
from onemcp.upstream.connection import upstream_says
from onemcp.wire.envelope import INTERNAL_ERROR, error_object

MEMBER: Final = "requestId"
"""The member of `data` that has the id."""
_NOT_THE_CLIENTS: Final = frozenset({INTERNAL_ERROR, REQUEST_TIMEOUT})

_log = logging.getLogger("onemcp.gateway.answers")


def told(error: RpcError) -> bytes:
    """The `error` member for an error of the gateway's own, with the id of the present request in its `data`."""
    level = logging.WARNING if error.code in _NOT_THE_CLIENTS else logging.DEBUG
    if _log.isEnabledFor(level):
        _log.log(
            level, "answered with error %d: %s", error.code, error.message, extra={"error_code": error.code}
        )
    name = request_id()
    if not name:
        return error_object(error)
    data = error.data
    if data is None:
        data = {MEMBER: name}
    elif isinstance(data, dict):
        data = {**data, MEMBER: name}
    return error_object(RpcError(error.code, error.message, data))


def passed_on(error: Raw) -> Raw:
    """An upstream's error object, as it came; logged by its code, because its text may repeat what was sent."""
    if _log.isEnabledFor(logging.INFO):
        stated = upstream_says(error)
        _log.info("the server answered with error %d", stated.code, extra={"error_code": stated.code})
        _log.debug("the server's words: %s", stated.message)
    return error
