"""The backchannel: what an upstream sends in the course of a call reaches the client whose call it is, and nobody else.

Progress is told apart by a token of ours, which the upstream repeats; what the client called it is put back before
the message goes on.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import ABSENT, Envelope, encode, notification, open_object

PROGRESS: Final = "notifications/progress"
TOKEN: Final = "progressToken"  # noqa: S105 - the protocol's word for a name, not a secret

Emit = Callable[[bytes], None]
"""Sends a message to the client of one call, while that call runs; must not block and must not raise."""

_log = logging.getLogger("onemcp.gateway")


@dataclass(frozen=True, slots=True)
class _Watch:
    upstream: str
    emit: Emit
    token: Raw


class Backchannel:
    """Knows which client waits for which message."""

    def __init__(self) -> None:
        self._watches: dict[int, _Watch] = {}
        self._tokens = count(1)
        self.unclaimed = 0
        """Messages that belonged to no call (any more)."""

    def __len__(self) -> int:
        """Calls whose progress is watched."""
        return len(self._watches)

    @contextmanager
    def watching(self, upstream: str, emit: Emit, token: Raw) -> Iterator[Raw]:
        """While the block runs, progress under the yielded token goes to `emit` under the client's own one."""
        own = next(self._tokens)
        self._watches[own] = _Watch(upstream, emit, token)
        try:
            yield Raw(b"%d" % own)
        finally:
            del self._watches[own]

    def take(self, upstream: str, envelope: Envelope) -> None:
        """A notification that an upstream sent on its own. Never raises."""
        if envelope.method != PROGRESS:
            return
        try:
            params = open_object(envelope.params)
        except RpcError:
            params = {}
        token = bytes(params.get(TOKEN, ABSENT))
        watch = self._watches.get(int(token)) if token.isdigit() and len(token) < 20 else None
        if watch is None or watch.upstream != upstream:
            self.unclaimed += 1
            _log.debug("%s: progress that nobody waits for", upstream)
            return
        params[TOKEN] = watch.token
        watch.emit(notification(PROGRESS, encode(params)))
