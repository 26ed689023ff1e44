"""The meter: counts and durations of all requests, by upstream, method and how each ended.

It stands on the path of every call: one lookup finds the cell, one search its span. What clients send cannot make it
grow: methods that are none count as one, and upstreams come from the configuration.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from msgspec import Raw

from onemcp.core.histogram import OPERATION, Histogram
from onemcp.errors import Reason, RpcError
from onemcp.gateway.failures import REQUEST_TIMEOUT
from onemcp.upstream.channel import Reply
from onemcp.wire.envelope import ABSENT, open_object
from onemcp.wire.inputs import INPUT_REQUIRED as _INPUT_REQUIRED
from onemcp.wire.revisions import Era

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
_WELL: Final = b'"isError":false}'
"""The end of nearly every result of a tool that went well. One brace closes one object: it is the result's own member."""
_HANDSHAKE: Final = Era.HANDSHAKE  # looking a member of an enumeration up takes longer than the test
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
        # `cell.note(seconds)`, without the call: it would be a fifth of what counting costs.
        cell.counts[bisect_left(OPERATION, seconds)] += 1
        cell.total += seconds

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


def outcome_of(reply: Reply, era: Era = _HANDSHAKE) -> str:
    """How a request of this era ended that was answered.

    Most results are told by a search in their text; only what that leaves in doubt is opened.
    """
    if reply.error is not ABSENT:
        return ERROR
    result = bytes(reply.result)
    if (
        not result.endswith(_WELL)
        and result.find(_IS_ERROR) >= 0
        and _member(reply.result, "isError") == _TRUE
    ):
        return TOOL_ERROR
    if era is _HANDSHAKE or result.find(_INPUT_REQUIRED) < 0:
        return OK
    return INPUT_REQUIRED if _member(reply.result, "resultType") == _INPUT_REQUIRED else OK


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
