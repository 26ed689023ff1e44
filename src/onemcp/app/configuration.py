"""The configuration in force, and how another one comes into force: read, judged as a whole, then applied."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from onemcp.app.front import trusted
from onemcp.app.machine import refuse_faults, refuse_open_bind
from onemcp.app.options import features, options
from onemcp.app.plan import Applied, Plan
from onemcp.app.secrets import Outcomes, Secrets
from onemcp.config.change import Change, changes, in_force
from onemcp.config.document import Document, Draft
from onemcp.config.fingerprint import fingerprint
from onemcp.config.loading import read
from onemcp.config.reading import Reading
from onemcp.config.secrets.chain import Chain
from onemcp.config.settings import Settings, around, resolve
from onemcp.core.events import ConfigReloaded, Events
from onemcp.core.plan import plan
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem, StartError
from onemcp.gateway.runtime import Runtime

_NAMED: Final = 8
"""Servers that are named in a line of the log."""

_log: Final = logging.getLogger("onemcp")


@dataclass(frozen=True, slots=True)
class Rotated:
    """An event: secrets are others now, and the servers that use them were begun with anew."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration that was read, and that can come into force."""

    document: Document
    settings: Settings
    """With the present values of those that need a restart."""
    changes: tuple[Change, ...]
    """The settings that differ from those in force."""
    before: tuple[UpstreamSpec, ...]
    """The upstreams in force when it was read."""
    draft: Draft = field(repr=False)
    chain: Chain = field(repr=False)
    secrets: Outcomes = field(repr=False)

    @property
    def specs(self) -> tuple[UpstreamSpec, ...]:
        """The upstreams that it would put into force, with what is switched off taken into account."""
        return features(self.settings).applied_to(self.document.specs)


class Configuration:
    """What is in force. One reload at a time; one that is refused changes nothing."""

    def __init__(self, start: Plan, runtime: Runtime, events: Events) -> None:
        self.settings = start.settings
        self.document = start.document
        self.tried = start.loaded.fingerprint
        """Of the files as they were read last, whether or not they were any good."""
        self.path = Path(start.settings.config)
        self.reading = Reading(self.path)
        self._around = around(start.first, start.environ)
        self.waiting: tuple[str, ...] = ()
        """Keys of settings that have another value in the files, and need a restart."""
        self.secrets = Secrets(start.loaded, self._around)
        self._draft = start.loaded.draft
        self._start = start
        self._runtime = runtime
        self._events = events
        self._told = frozenset((*start.settings.notices, *start.document.notices))
        self._faulty = ""
        """Why the last reload changed nothing; empty if it was a good one."""
        self._refused = ""
        """What was wrong with secrets that came since."""
        self._lock = asyncio.Lock()

    async def reload(self) -> Candidate:
        """Read the files again, ask for the secrets again, and put into force what is new.

        Raises:
            ConfigError: it is faulty. The one before stays, and whoever listens is told.
        """
        async with self._lock:
            return await self._reload()

    async def reload_if_other(self) -> None:
        """Reload if the files hold something else than when they were read last.

        Raises:
            ConfigError: as `reload`.
        """
        async with self._lock:
            if await self._fingerprint() != self.tried:
                await self._reload()

    async def preview(self) -> Candidate:
        """What a reload would put into force now; nothing is changed.

        Raises:
            ConfigError: nothing, since it is faulty.
        """
        async with self._lock:
            tried = self.tried
            try:
                candidate = await self._candidate()
            finally:
                self.tried = tried
            if candidate.chain is not self.secrets.chain:
                await candidate.chain.aclose()
            self.secrets.forget_others()
            return candidate

    async def rotate(self) -> None:
        """Ask again for the secrets that are due, and begin anew with the servers that use one which is another now."""
        async with self._lock:
            rotated = await self.secrets.refresh()
            if not rotated:
                self._refuse("")
                return
            outcomes = self.secrets.renewed(rotated)
            try:
                document = self._draft.document(self.settings.name_separator, outcomes)
            except ConfigError as error:
                self._refuse(f"secrets that are others now cannot be used; the ones before stay: {error}")
                return
            self._refuse("")
            names = ", ".join(sorted(reference.shown() for reference in rotated))
            _log.info("another secret than before: %s; the servers that use it begin anew", names)
            await self.secrets.adopt(self._draft, self.secrets.chain, outcomes)
            await self._put_in_force(self.settings, document)
            self._events.emit(Rotated())

    def _refuse(self, why: str) -> None:
        """Say once why other secrets did not come into force, and once that this is over, if the files are good."""
        if why == self._refused:
            return
        self._refused = why
        if why:
            _log.error("%s", why)
        self._events.emit(ConfigReloaded(self.settings.config, why or self._faulty))

    async def _reload(self) -> Candidate:
        try:
            candidate = await self._candidate()
        except ConfigError as error:
            self._faulty = str(error)
            _log.error("the configuration was not reloaded; the one before stays: %s", error)
            self._events.emit(ConfigReloaded(self.settings.config, str(error)))
            raise
        await self.secrets.adopt(candidate.draft, candidate.chain, candidate.secrets)
        self._draft, self._faulty, self._refused = candidate.draft, "", ""
        await self._put_in_force(candidate.settings, candidate.document)
        self._tell(candidate)
        self._events.emit(ConfigReloaded(self.settings.config))
        return candidate

    async def _candidate(self) -> Candidate:
        """Read and judge; files are read by a thread, since large ones take a while.

        Raises:
            ConfigError: it is faulty.
        """
        work = partial(read, self.path, self._around, self.settings.environment)
        try:
            found, self.tried = await self.reading(work)
        except ConfigError as error:  # not that they are faulty: they could not be read at all
            self.tried = str(error)
            raise
        if isinstance(found, ConfigError):
            raise found
        chain = self.secrets.chain_for(found)
        try:
            outcomes = await chain.resolve(found.references, fresh=True)
            document = await asyncio.to_thread(found.document, self.settings.name_separator, outcomes)
            asked = self._judged(document)
        except BaseException:
            if chain is not self.secrets.chain:
                await chain.aclose()
            self.secrets.forget_others()
            raise
        settings, differing = in_force(self.settings, asked), changes(self.settings, asked)
        return Candidate(document, settings, differing, self._runtime.specs, found, chain, outcomes)

    async def _fingerprint(self) -> str:
        """Of the files as they are now, or why there is none."""
        try:
            return await self.reading(partial(fingerprint, self.path, self.settings.environment))
        except ConfigError as error:
            return str(error)

    def _judged(self, document: Document) -> Settings:
        """The settings that it asks for, if a gateway would start with them."""
        environ = self._start.environ
        asked = replace(resolve(environ, self._start.typed, document.settings), config=self.settings.config)
        try:
            refuse_open_bind(asked)
        except StartError as error:
            raise ConfigError(Problem(error.what, error.fix, self.settings.config)) from error
        trusted(asked)
        refuse_faults(asked, document, environ)
        return asked

    async def _put_in_force(self, settings: Settings, document: Document) -> None:
        self.settings, self.document = settings, document
        self._runtime.adopt(options(settings))
        self._events.emit(Applied(settings, document))
        await self._runtime.apply(document.specs)

    def _tell(self, candidate: Candidate) -> None:
        """What is worth a line: that it was reloaded, what waits for a restart, and notices that are new."""
        _log.info("the configuration was reloaded: %s", _summary(candidate))
        waiting = [change for change in candidate.changes if change.needs_restart]
        for change in waiting:
            _log.warning("%s (%s) counts only after a restart", change.setting.key, change.origin)
        self.waiting = tuple(change.setting.key for change in waiting)
        notices = (*candidate.settings.notices, *candidate.document.notices)
        for notice in notices:
            if notice not in self._told:
                _log.warning("%s", notice)
        self._told = frozenset(notices)


def _summary(candidate: Candidate) -> str:
    """What is different, in a few words."""
    steps = plan(candidate.before, candidate.specs)
    parts = [
        f"{word} {', '.join(spec.name for spec in specs[:_NAMED])}{' and others' if len(specs) > _NAMED else ''}"
        for word, specs in (
            ("began with", steps.add),
            ("ended", steps.remove),
            ("began anew with", steps.replace),
            ("changed", steps.update),
        )
        if specs
    ]
    keys = [change.setting.key for change in candidate.changes if not change.needs_restart]
    parts += [f"set {', '.join(keys)}"] if keys else []
    return "; ".join(parts) or "nothing is different"


@asynccontextmanager
async def configured(start: Plan, runtime: Runtime, events: Events) -> AsyncIterator[Configuration]:
    """The configuration in force; providers of secrets are let go at the end."""
    configuration = Configuration(start, runtime, events)
    try:
        yield configuration
    finally:
        await configuration.secrets.chain.aclose()
