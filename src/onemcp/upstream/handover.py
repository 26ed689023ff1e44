"""Watching resources of a stateless upstream: one listen request for all of them, replaced when they change.

The new request is acknowledged before the old one is ended, so that no update falls between the two; one that comes
on both is told twice, which says nothing wrong.

Source: basic/patterns/subscriptions (2026-07-28).
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec import Raw

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.wire.envelope import METHOD_NOT_FOUND, encode, open_object

ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
TIMEOUT: Final = 10.0
"""Seconds that an upstream has to acknowledge."""

_MEMBER: Final = "resourceSubscriptions"


class Listen(Protocol):
    """One listen request that has been sent."""

    acknowledged: Future[Raw]
    """The params of the acknowledgement; RpcError if there will be none."""

    def withdraw(self) -> None:
        """It is not needed any more."""


class Handover:
    """The listen request of the moment; `begin` sends one with a filter, which is encoded."""

    def __init__(self, server: str, begin: Callable[[bytes], Listen], timeout: float = TIMEOUT) -> None:
        self._server = server
        self._begin = begin
        self._timeout = timeout
        self._present: Listen | None = None

    async def to(self, uris: frozenset[str]) -> frozenset[str]:
        """Listen for exactly these resources; see `Channel.watch`."""
        if not uris:
            self.close()
            return frozenset()
        fresh = self._begin(encode({_MEMBER: sorted(uris)}))
        try:
            honoured = _honoured(await self._word_of(fresh), uris)
        except BaseException:
            fresh.withdraw()
            raise
        self.close()
        self._present = fresh
        return honoured

    async def _word_of(self, listen: Listen) -> Raw:
        await asyncio.wait((listen.acknowledged,), timeout=self._timeout)
        if not listen.acknowledged.done():
            what = f"did not acknowledge a subscription within {self._timeout:g} s"
            raise UpstreamError(self._server, Reason.TIMEOUT, what)
        return listen.acknowledged.result()

    def close(self) -> None:
        """Listen for nothing any more."""
        if self._present is not None:
            self._present.withdraw()
            self._present = None


def refused(server: str) -> RpcError:
    """What is known of an upstream that ends a listen request without a word."""
    return RpcError(METHOD_NOT_FOUND, f"{server}: does not offer subscriptions to resources")


def _honoured(params: Raw, asked: frozenset[str]) -> frozenset[str]:
    """Those of the resources that an acknowledgement repeats; one that repeats no filter at all means all."""
    try:
        members = open_object(params)
        if "notifications" not in members:
            return asked
        repeated = open_object(members["notifications"]).get(_MEMBER, Raw(b"[]"))
        return asked & frozenset(msgspec.json.decode(repeated, type=list[str]))
    except (RpcError, msgspec.DecodeError):
        return frozenset()
