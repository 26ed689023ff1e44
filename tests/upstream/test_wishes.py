"""What an upstream is to be told, over a scripted channel."""

import pytest
from msgspec import Raw
from tests.support.channels import Failure, Script, ScriptedChannel, handshake

from onemcp.gateway.owned import ROOTS_CHANGED
from onemcp.upstream.connection import Connection
from onemcp.upstream.wishes import Wishes

pytestmark = pytest.mark.anyio

LEVEL = "logging/setLevel"


class Case:
    """The wishes about one upstream, and a connection to it."""

    def __init__(self, script: Script, revision: str = "2025-11-25", *, logs: bool = True) -> None:
        self.woken = 0
        self.wishes = Wishes("s", self._wake)
        self.channel = ScriptedChannel(script, lambda _: None)
        self.connection = Connection(
            self.channel, revision, {"logging": Raw(b"{}")} if logs else {}, Raw(b"{}")
        )

    def _wake(self) -> None:
        self.woken += 1

    async def all_carried_out(self) -> None:
        while self.wishes:
            await self.wishes.carry_out(self.connection)

    @property
    def levels(self) -> list[bytes]:
        return [request.params for request in self.channel.asked if request.method == LEVEL]


async def test_without_a_wish_nothing_is_said() -> None:
    case = Case(handshake())
    assert not case.wishes
    await case.wishes.carry_out(case.connection)
    assert (case.channel.asked, case.channel.sent, case.woken) == ([], [], 0)


async def test_the_latest_log_level_is_told_once() -> None:
    case = Case(handshake(**{LEVEL: {}}))
    case.wishes.want_logs("debug")
    case.wishes.want_logs("error")
    assert case.woken == 2
    await case.all_carried_out()
    case.wishes.want_logs("error")
    await case.all_carried_out()
    assert case.levels == [b'{"level":"error"}']


async def test_a_new_connection_hears_the_log_level_again() -> None:
    case = Case(handshake(**{LEVEL: {}}))
    case.wishes.want_logs("debug")
    await case.all_carried_out()
    case.wishes.begin()
    await case.all_carried_out()
    assert case.levels == [b'{"level":"debug"}'] * 2


@pytest.mark.parametrize(("revision", "logs"), [("2025-11-25", False), ("2026-07-28", True)])
async def test_who_takes_no_log_level_is_told_none(revision: str, logs: bool) -> None:
    case = Case(handshake(**{LEVEL: {}}), revision, logs=logs)
    case.wishes.want_logs("debug")
    await case.all_carried_out()
    assert case.levels == []


async def test_a_refused_log_level_is_logged_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    case = Case(handshake(**{LEVEL: Failure(-32602, "no such level")}))
    case.wishes.want_logs("debug")
    await case.all_carried_out()
    assert len(case.levels) == 1
    assert "s: the log level debug was not taken" in caplog.text


async def test_a_notification_is_told_once_however_often_it_is_wished() -> None:
    case = Case(handshake())
    case.wishes.tell(ROOTS_CHANGED)
    case.wishes.tell(ROOTS_CHANGED)
    await case.all_carried_out()
    assert case.channel.sent == [ROOTS_CHANGED.encode()]


async def test_the_stateless_era_has_no_such_notifications() -> None:
    case = Case(handshake(), "2026-07-28")
    case.wishes.tell(ROOTS_CHANGED)
    await case.all_carried_out()
    assert case.channel.sent == []
