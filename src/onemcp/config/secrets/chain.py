"""The chain: asks providers in order, remembers what they said, and finds out when they say something else."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from onemcp.config.secrets.flights import Flights
from onemcp.config.secrets.provider import Found, Provider, SecretError, refuse_unusable
from onemcp.config.secrets.reference import Reference
from onemcp.config.secrets.secret import Secret
from onemcp.errors import Problem

CACHE: Final = 300.0
"""Seconds after which a provider that does not know better is asked again."""
MAX_KEPT: Final = 4096
"""Secrets that are remembered; those that were asked for longest ago are forgotten first."""
AT_ONCE: Final = 8
"""Secrets that are asked for at the same time."""
SILENT: Final = 5.0
"""Seconds for which a provider that did not answer in its time is taken not to answer the next either."""
_AGAIN: Final = 30.0
"""Seconds after a failure until the next try."""
_LEASED: Final = 0.8
"""The part of a lease after which it is asked again, so that there is time for it."""
_SHORTEST: Final = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """What is remembered of one reference: the secret and where it was found, or else the problem."""

    secret: Secret | None
    problem: Problem | None = None
    """Also set beside a secret: why it could not be asked for again, so that the last one stands."""
    provider: str = ""
    version: str = ""
    fingerprint: str = ""
    due: float = 0.0
    """When it is asked for again, by the clock."""
    notice: str = ""

    @property
    def outcome(self) -> Secret | Problem:
        """What an entry gets."""
        if self.secret is not None:
            return self.secret
        assert self.problem is not None
        return self.problem


class Chain(AbstractAsyncContextManager["Chain"]):
    """Resolves references, each by the providers that it means.

    A plain name is looked for in `order`, and the first provider that has it wins; a reference with a provider is that
    one's alone.

    A provider that fails ends the search: what a later one has might be another secret. Where a secret was known
    before, it stands then.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        order: Sequence[str],
        cache: float = CACHE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = providers
        self._order = tuple(order)
        self._cache = cache
        self._clock = clock
        self._known: dict[Reference, Told] = {}
        self._flights: Flights[Reference, Told] = Flights()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._silent: dict[str, float] = {}
        """Until when, by the clock, providers that did not answer are not asked."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every provider."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every provider, and forget everything."""
        self._known.clear()
        for provider in self._providers.values():
            await provider.aclose()

    async def resolve(
        self, references: Iterable[Reference], *, fresh: bool = False
    ) -> dict[Reference, Secret | Problem]:
        """The secret of each reference, or the problem why there is none. With `fresh`, everybody is asked again.

        Bounded by the time that providers have: they are asked at the same time, a few at once.
        """
        wanted = dict.fromkeys(references)
        told = await self._each(wanted, fresh=fresh)
        return {reference: one.outcome for reference, one in zip(wanted, told, strict=True)}

    async def refresh(self) -> frozenset[Reference]:
        """Ask again for what is due; the references that mean another secret now, or one for the first time.

        One that is gone or cannot be asked for stays what it was: whoever uses it goes on.
        """
        now = self._clock()
        due = [reference for reference, told in self._known.items() if told.due <= now]
        before = [self._known[reference].fingerprint for reference in due]
        after = await self._each(due, fresh=True)
        return frozenset(
            reference
            for reference, old, told in zip(due, before, after, strict=True)
            if told.fingerprint not in ("", old)
        )

    def wait(self) -> float | None:
        """Seconds until `refresh` has something to do; None if nothing is known."""
        if not self._known:
            return None
        return max(0.0, min(told.due for told in self._known.values()) - self._clock())

    def remember(self, known: Mapping[Reference, Told]) -> None:
        """Take over what another chain of the same providers was told."""
        self._known.update(known)

    def retain(self, references: Iterable[Reference]) -> None:
        """Forget all others: a new configuration is in force."""
        kept = frozenset(references)
        for reference in [one for one in self._known if one not in kept]:
            del self._known[reference]

    def known(self) -> Mapping[Reference, Told]:
        """What is remembered: which reference came from which provider, in which version, and what went wrong."""
        return dict(self._known)

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should change about where secrets are kept."""
        return tuple(dict.fromkeys(told.notice for told in self._known.values() if told.notice))

    async def _each(self, references: Iterable[Reference], *, fresh: bool) -> list[Told]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(reference, fresh=fresh)) for reference in references]
        return [task.result() for task in tasks]

    async def _one(self, reference: Reference, *, fresh: bool) -> Told:
        told = self._known.get(reference)
        if told is not None and told.problem is None and told.due > self._clock() and not fresh:
            return told
        return await self._flights.get(reference, lambda: self._ask(reference))

    async def _ask(self, reference: Reference) -> Told:
        async with self._room:
            try:
                provider, found = await self._found(reference)
            except SecretError as error:
                told = self._failed(reference, error)
            else:
                told = self._told(reference, provider, found)
        self._known.pop(reference, None)
        self._known[reference] = told
        while len(self._known) > MAX_KEPT:
            del self._known[next(iter(self._known))]
        return told

    async def _answer(self, provider: Provider, reference: Reference) -> Found | None:
        """What one provider says; one that has just not answered is not waited for again and again.

        Raises:
            SecretError: it fails, takes too long, or has what is no secret.
        """
        try:
            if self._silent.get(provider.name, 0.0) <= self._clock():
                return await _answer(provider, reference)
        except TimeoutError:
            self._silent[provider.name] = self._clock() + SILENT
        raise SecretError(
            f"{provider.name} did not answer within {provider.timeout:g} s",
            "see whether it can be reached, or raise its timeout",
        )

    async def _found(self, reference: Reference) -> tuple[Provider | None, Found | None]:
        for name in (reference.provider,) if reference.provider else self._order:
            provider = self._providers.get(name)
            if provider is None:
                known = ", ".join(self._providers)
                raise SecretError(f"there is no provider {name}", f"there are {known}")
            found = await self._answer(provider, reference)
            if found is not None:
                return provider, found
        return None, None

    def _told(self, reference: Reference, provider: Provider | None, found: Found | None) -> Told:
        if provider is None or found is None:
            return self._missing(reference)
        recheck = self._cache if provider.recheck is None else provider.recheck
        if found.lease is not None:
            recheck = max(_SHORTEST, min(recheck, found.lease * _LEASED))
        return Told(
            found.secret,
            provider=provider.name,
            version=found.version,
            fingerprint=found.secret.fingerprint(),
            due=self._clock() + recheck,
            notice=found.notice,
        )

    def _missing(self, reference: Reference) -> Told:
        """Nobody has it; `refresh` goes on looking. What it was before does not stand: it was taken away."""
        asked = reference.provider or ", ".join(self._order) or "nobody"
        problem = Problem(f"{reference.shown()}: there is no such secret (asked: {asked})", _fix(reference))
        before = self._known.get(reference)
        fingerprint = before.fingerprint if before is not None else ""
        return Told(None, problem, fingerprint=fingerprint, due=self._clock() + self._pause(reference))

    def _failed(self, reference: Reference, error: SecretError) -> Told:
        problem = Problem(f"{reference.shown()}: {error.what}", error.fix)
        due = self._clock() + self._pause(reference)
        before = self._known.get(reference)
        if before is None:
            return Told(None, problem, due=due)
        return Told(before.secret, problem, before.provider, before.version, before.fingerprint, due)

    def _pause(self, reference: Reference) -> float:
        """A provider on this machine is looked at again as soon as ever."""
        names = (reference.provider,) if reference.provider else self._order
        rechecks = [self._providers[name].recheck for name in names if name in self._providers]
        return min([_AGAIN, *(recheck for recheck in rechecks if recheck is not None)])


async def _answer(provider: Provider, reference: Reference) -> Found | None:
    """What one provider says, within its time, and only if it can be used.

    Raises:
        SecretError: it fails, or has what is no secret.
        TimeoutError: it takes too long.
    """
    async with asyncio.timeout(provider.timeout):
        found = await provider.get(reference.path, reference.field)
    if found is None:
        return None
    text = found.secret.reveal()
    if not text:
        raise SecretError(f"it is empty in {provider.name}", "set it, or take it away there")
    refuse_unusable(text, f" in {provider.name}")
    return found


def _fix(reference: Reference) -> str:
    if reference.provider:
        return f"put it there, or correct the reference (provider:path#field is {reference})"
    return f"set it with 1mcp secret set {reference.path}, or as the guide to secrets says"
