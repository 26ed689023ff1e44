"""Many sessions on one upstream, all talking at once: nothing reaches a session that did not cause it.

A thousand calls with progress, log messages and questions, a fifth of them cancelled. Every message names the call
that it belongs to, and the ids and tokens of all sessions are the same (`tests/support/crossing_client.py`).
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import crossing_upstream
from tests.support.crossing_client import ENTRY, HandshakeSession, Session, StatelessSession
from tests.support.crossing_http import CrossingHttp
from tests.support.crossing_outcome import Outcome
from tests.support.crossing_plan import LEVELS, Plan, plans
from tests.support.crossing_report import Report
from tests.support.crossing_upstream import HANDSHAKE, STATELESS
from tests.support.gateway import GatewayProcess

pytestmark = pytest.mark.anyio

SESSIONS: Final = 50
CALLS: Final = 20
"""Of each session."""
LIMIT: Final = 90.0
"""Seconds for all of a test."""
SEED: Final = 20260728
COMMAND: Final = [sys.executable, "-S", "-E", crossing_upstream.__file__]
ON_STDIO: Final = {
    "handshake stdio": {"command": [*COMMAND, "handshake"], "protocol": HANDSHAKE},
    "stateless stdio": {"command": [*COMMAND, "stateless"], "protocol": STATELESS},
}
OWN: Final = {"isolation": "session", "maxConnections": SESSIONS}


@dataclass(frozen=True)
class Case:
    """Which clients on which upstream, and what can be kept apart there."""

    clients: type[Session]
    upstream: str
    is_alone: bool = False
    """Every session has a connection of its own."""
    has_logs: bool = True
    """What a log message belongs to is known for every one."""
    is_parked: bool = False
    """The gateway keeps calls whose clients were asked, also those that are thought of no more, for a while."""


CASES: Final = {
    "handshake clients on handshake HTTP": Case(HandshakeSession, "handshake http"),
    "stateless clients on handshake HTTP": Case(StatelessSession, "handshake http", is_parked=True),
    "stateless clients on stateless stdio": Case(StatelessSession, "stateless stdio", has_logs=False),
    "handshake clients on children of their own": Case(HandshakeSession, "handshake stdio", is_alone=True),
}


@asynccontextmanager
async def gateway(upstream: str, folder: Path, **more: Any) -> AsyncIterator[GatewayProcess]:
    """A gateway in front of one upstream, for whose entry there may be more to say."""
    with CrossingHttp() if upstream not in ON_STDIO else nullcontext() as http:
        entry = ON_STDIO[upstream] if http is None else {"url": http.url, "protocol": HANDSHAKE}
        async with GatewayProcess({"mcpServers": {ENTRY: {**entry, **more}}}, folder=folder) as running:
            await asyncio.to_thread(running.wait_settled)
            yield running


async def cross(case: Case, url: str) -> tuple[Report, list[Session]]:
    """All sessions with all their calls at once; what the upstream says, and what the sessions have heard."""
    async with AsyncExitStack() as stack:
        sessions = []
        for number in range(SESSIONS):
            session = case.clients(
                url, level=LEVELS[number % len(LEVELS)], is_mixed=case.upstream in ON_STDIO
            )
            sessions.append(await stack.enter_async_context(session))
        async with asyncio.TaskGroup() as group:
            for number, session in enumerate(sessions):
                group.create_task(session.play(plans(number, CALLS, SEED)))
        asked = sessions if case.is_alone else sessions[:1]
        report = await settled(asked, parked=set(abandoned(sessions)) if case.is_parked else set())
        for session in sessions:
            await session.leave()
    return report, sessions


def abandoned(sessions: Sequence[Session]) -> Iterator[str]:
    """The calls that were given up and may have asked something before."""
    for session in sessions:
        for outcome in session.outcomes.values():
            if outcome.is_given_up and outcome.plan.questions:
                yield outcome.plan.marker


async def settled(sessions: Sequence[Session], parked: AbstractSet[str] = frozenset()) -> Report:
    """What the upstream says once no call is under way there, but for those that may be parked."""
    while True:
        report = Report([await session.report() for session in sessions])
        if report.running <= parked:
            return report
        await asyncio.sleep(0.02)


def faults(report: Report, sessions: Sequence[Session], *, has_logs: bool) -> list[str]:
    """All that went wrong, on either side."""
    outcomes = [outcome for session in sessions for outcome in session.outcomes.values()]
    heard = [fault for session in sessions for fault in session.all_faults(has_logs=has_logs)]
    return heard + report.faults(outcomes)


def is_legible(session: Session) -> bool:
    """Whether a state that the client keeps for a call says which one that is."""
    outcomes = session.outcomes.values()
    return any(outcome.plan.marker in state for outcome in outcomes for state in outcome.states)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_nothing_reaches_a_session_that_did_not_cause_it(case: Case, tmp_path: Path) -> None:
    more: dict[str, Any] = OWN if case.is_alone else {}
    async with asyncio.timeout(LIMIT), gateway(case.upstream, tmp_path, **more) as running:
        report, sessions = await cross(case, running.url)
    assert faults(report, sessions, has_logs=case.has_logs) == []
    assert report.refused.keys() <= set(abandoned(sessions))
    assert report.seen["cancelled"]
    assert not case.is_parked or not any(is_legible(session) for session in sessions)


async def test_a_shared_child_is_refused_what_nobody_can_place(tmp_path: Path) -> None:
    case = Case(HandshakeSession, "handshake stdio", has_logs=False)
    async with asyncio.timeout(LIMIT), gateway(case.upstream, tmp_path) as running:
        report, sessions = await cross(case, running.url)
    assert faults(report, sessions, has_logs=False) == []
    assert any('"isolation"' in why for why in report.refused.values())
    assert report.seen["cancelled"]


@asynccontextmanager
async def shared_child(folder: Path) -> AsyncIterator[str]:
    """A gateway in front of a child that all sessions share; its URL."""
    async with gateway("handshake stdio", folder) as running:
        yield running.url


async def test_what_a_shared_child_asks_in_its_only_call_is_that_calls(tmp_path: Path) -> None:
    only = Plan(1, "only", [("progress", 1), ("log", "error"), ("ask", None), ("progress", 2)])
    async with asyncio.timeout(LIMIT), shared_child(tmp_path) as url:
        session, other = HandshakeSession(url), HandshakeSession(url)
        async with session, other:
            await session.play([only])
            report = await settled([session])
            await session.leave()
            await other.leave()
    assert faults(report, [session, other], has_logs=True) == []
    assert report.seen["answered"] == {"only": 1}


@asynccontextmanager
async def bystander(url: str, until: str) -> AsyncIterator[tuple[Session, Outcome]]:
    """A session whose call is under way as long as another one is."""
    async with HandshakeSession(url, level="debug") as session, asyncio.TaskGroup() as group:
        outcome = session.begin(Plan(1, "bystander", [("progress", 1), ("until", until)]))
        group.create_task(session.call(outcome))
        await outcome.is_heard_of.wait()
        yield session, outcome


@pytest.mark.parametrize(
    "manner",
    [
        pytest.param({"takes_questions": False}, id="whose client takes no questions"),
        pytest.param({"accept": "application/json"}, id="whose client takes no streams"),
    ],
)
async def test_a_call_is_not_taken_for_another_ones(manner: dict[str, Any], tmp_path: Path) -> None:
    talker = Plan(1, "talker", [("log", "error"), ("ask", None)])
    async with (
        asyncio.timeout(LIMIT),
        shared_child(tmp_path) as url,
        HandshakeSession(url, **manner) as session,
    ):
        async with bystander(url, "talker") as (other, heard):
            await session.play([talker])
        report = await settled([session])
    assert faults(report, [session, other], has_logs=False) == []
    assert "talker" in report.refused
    assert (heard.logs, heard.questions) == ([], 0)


async def test_a_call_is_not_taken_for_one_that_was_just_cancelled(tmp_path: Path) -> None:
    late = Plan(1, "late", [("progress", 1), ("unread", None), ("log", "error"), ("ask", None)])
    async with asyncio.timeout(LIMIT), shared_child(tmp_path) as url, HandshakeSession(url) as session:
        async with bystander(url, "late") as (other, heard), asyncio.TaskGroup() as group:
            outcome = session.begin(late)
            group.create_task(session.call(outcome))
            await outcome.is_heard_of.wait()
            session.give_up(outcome)
        report = await settled([session])
    assert faults(report, [session, other], has_logs=False) == []
    assert report.seen["cancelled"] == {"late": 1}
    assert (heard.logs, heard.questions) == ([], 0)
