"""The meter: counts and durations of all requests, by upstream, method and how each ended.

It stands on the path of every call: one lookup finds the cell, one search its span. What clients send cannot make it
grow: methods that are none count as one, and upstreams come from the configuration.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Raw

from onemcp.core.histogram import OPERATION, Histogram
from onemcp.errors import Reason, RpcError
from onemcp.gateway.failures import REQUEST_TIMEOUT
from onemcp.upstream.channel import Reply
from onemcp.wire.envelope import ABSENT, open_object
from onemcp.wire.inputs import INPUT_REQUIRED as _INPUT_REQUIRED

OK: Final = "ok"
TOOL_ERROR: Final = "tool_error"
"""A result whose `isError` is true."""
INPUT_REQUIRED: Final = "input_required"
"""The client is asked for something first, and comes back with another request."""
ERROR: Final = "error"
"""The upstream's own JSON-RPC error."""
TIMEOUT: Final = "timeout"
UNAVAILABLE: Final = "unavailable"
"""The upstream did not answer, or was not there to be asked."""
REFUSED: Final = "refused"
"""The gateway's own answer: a name that is unknown or not to be seen, params that are wrong, too much at once."""
CANCELLED: Final = "cancelled"
BROKEN: Final = "broken"
"""A defect of the gateway."""

OUTCOMES: Final = (OK, TOOL_ERROR, INPUT_REQUIRED, ERROR, TIMEOUT, UNAVAILABLE, REFUSED, CANCELLED, BROKEN)
METHODS: Final = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "tools/call",
        "tools/list",
    }
)
OTHER: Final = "_other"
"""What stands for every method that is none of these."""

Key = tuple[str, str, str]
"""Upstream (empty if there is none), method, outcome."""

_IS_ERROR: Final = b'"isError"'
_TRUE: Final = b"true"
_FALSE: Final = b":false"
_REASONS: Final = frozenset(reason.value for reason in Reason)


class Meter:
    """What has been counted since the start."""

    def __init__(self) -> None:
        self._cells: dict[Key, Histogram] = {}

    def call(self, upstream: str, method: str, outcome: str, seconds: float) -> None:
        """A request is over; `upstream` must be a configured one, or empty."""
        cell = self._cells.get((upstream, method, outcome))
        if cell is None:
            cell = self._cell(upstream, method, outcome)
        cell.note(seconds)

    def _cell(self, upstream: str, method: str, outcome: str) -> Histogram:
        key = (upstream, method if method in METHODS else OTHER, outcome)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Histogram(OPERATION)
        return cell

    def __iter__(self) -> Iterator[tuple[Key, Histogram]]:
        """Everything that was counted."""
        return iter(self._cells.items())

    def forget(self, upstream: str) -> None:
        """An upstream is no longer configured: nothing is said of it any more."""
        for key in [key for key in self._cells if key[0] == upstream]:
            del self._cells[key]


def outcome_of(reply: Reply, *, may_ask: bool = False) -> str:
    """How a request ended that was answered; `may_ask` says that an answer can be a question, as in the stateless era.

    Most results are told by a search in their text; only what that leaves in doubt is opened.
    """
    if reply.error is not ABSENT:
        return ERROR
    result = bytes(reply.result)
    at = result.find(_IS_ERROR)
    if at >= 0 and _may_be_true(result, at + len(_IS_ERROR)) and _member(reply.result, "isError") == _TRUE:
        return TOOL_ERROR
    if may_ask and _INPUT_REQUIRED in result and _member(reply.result, "resultType") == _INPUT_REQUIRED:
        return INPUT_REQUIRED
    return OK


def _may_be_true(result: bytes, after: int) -> bool:
    """Not if the name stands there once, and `false` after it: so most servers say that all went well."""
    return not result.startswith(_FALSE, after) or result.find(_IS_ERROR, after) >= 0


def outcome_of_error(error: RpcError) -> str:
    """How a request ended that the gateway answered with an error."""
    if error.code == REQUEST_TIMEOUT:
        return TIMEOUT
    data = error.data
    return UNAVAILABLE if isinstance(data, dict) and data.get("reason") in _REASONS else REFUSED


def _member(result: Raw, name: str) -> bytes:
    try:
        return bytes(open_object(result).get(name, ABSENT))
    except RpcError:
        return b""
