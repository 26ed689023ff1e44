"""The secrets in force, and the chain of providers that finds out when they are others."""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from onemcp.config.document import Draft
from onemcp.config.loading import Loaded
from onemcp.config.secrets.chain import Chain
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.reference import Reference
from onemcp.config.secrets.secret import Secret
from onemcp.errors import Problem

Outcomes = Mapping[Reference, Secret | Problem]

_log: Final = logging.getLogger("onemcp.secrets")


class Secrets:
    """What every reference of the configuration in force stands for."""

    def __init__(self, loaded: Loaded, environ: Mapping[str, str]) -> None:
        """Inside the event loop that asks the providers. Nobody is asked again for what was just loaded."""
        self._environ = environ
        self._config = loaded.draft.secrets
        self.chain = opened(self._config, environ)
        self.chain.remember(loaded.known)
        self._in_force: Outcomes = {reference: told.outcome for reference, told in loaded.known.items()}
        self._told: frozenset[str] = frozenset()
        self._tell()

    def chain_for(self, draft: Draft) -> Chain:
        """The chain that a configuration wants: this one, or another if it says something else about secrets."""
        return self.chain if draft.secrets == self._config else opened(draft.secrets, self._environ)

    async def adopt(self, draft: Draft, chain: Chain, outcomes: Outcomes) -> None:
        """These are in force now; a chain that is no longer used is closed."""
        before, self.chain = self.chain, chain
        self._config, self._in_force = draft.secrets, outcomes
        if before is not chain:
            await before.aclose()
        self.forget_others()
        self._tell()

    def forget_others(self) -> None:
        """Let the chain remember only what is in force: a configuration that was looked at did not come to be."""
        self.chain.retain(self._in_force)

    async def refresh(self) -> frozenset[Reference]:
        """Ask again for what is due; the references that stand for another secret than the one in force.

        A secret that is gone, or cannot be asked for, stays what it is: whoever uses it goes on.
        """
        await self.chain.refresh()
        self._tell()
        return frozenset(
            reference
            for reference, told in self.chain.known().items()
            if told.secret is not None and _differ(self._in_force.get(reference), told.secret)
        )

    def renewed(self, rotated: Iterable[Reference]) -> Outcomes:
        """What is in force, with what the chain knows of these."""
        known = self.chain.known()
        return {**self._in_force, **{one: known[one].outcome for one in rotated if one in known}}

    def _tell(self) -> None:
        """Say once what is wrong with a secret that is in use all the same, and with the places of others."""
        said = [
            f"{told.problem.what}; the one from before stands"
            for reference, told in self.chain.known().items()
            if told.problem is not None and isinstance(self._in_force.get(reference), Secret)
        ]
        for text in (*said, *self.chain.notices):
            if text not in self._told:
                _log.warning("%s", text)
        self._told = frozenset((*said, *self.chain.notices))


def _differ(before: Secret | Problem | None, now: Secret) -> bool:
    return not isinstance(before, Secret) or before.fingerprint() != now.fingerprint()
