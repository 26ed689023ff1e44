"""The rules of alerts: raised once, cleared once, and nothing lost between."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.alerts import USUAL, Conditions, Notice, Rule, Signal, Told, Track, Turn, recalled
from onemcp.core.events import ALERT_KINDS, Severity

STATE, BURST, MOMENT = "server_down", "server_flapping", "instance_started"
RULES = {
    **USUAL,
    STATE: Rule(Severity.CRITICAL, seconds=10, cooldown=100),
    BURST: Rule(Severity.WARNING, seconds=10, cooldown=100, threshold=3),
    MOMENT: Rule(Severity.INFO, seconds=0, cooldown=100),
}


def told(
    conditions: Conditions, *moments: tuple[float, bool | None], kind: str = STATE
) -> list[tuple[str, float]]:
    """What is told over these moments: a signal, or (None) only the clock; each tick that is due is kept."""
    found = []
    for now, is_on in moments:
        while (due := conditions.due()) is not None and due <= now:
            found += conditions.tick(due)
        if is_on is not None:
            found += conditions.hear(Signal(kind, "x", is_on=is_on), now)
    return [(notice.turn.value, notice.at) for notice in found]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([(0, True), (9, None)], []),
        ([(0, True), (50, None)], [("raised", 10)]),
        ([(0, True), (5, False), (50, None)], []),
        ([(0, True), (5, True), (50, None)], [("raised", 10)]),
        ([(0, True), (20, False), (25, None)], [("raised", 10)]),
        ([(0, True), (20, False), (50, None)], [("raised", 10), ("cleared", 30)]),
        # Back within the time that it must be over: nobody hears of it.
        ([(0, True), (20, False), (25, True), (300, None)], [("raised", 10)]),
        # Again within the cooldown: told when that is over, if it still is so then.
        (
            [(0, True), (20, False), (40, True), (300, None)],
            [("raised", 10), ("cleared", 30), ("raised", 110)],
        ),
        ([(0, True), (20, False), (40, True), (60, False), (300, None)], [("raised", 10), ("cleared", 30)]),
        ([(0, False), (50, None)], []),
    ],
)
def test_a_state_is_raised_when_it_lasts_and_cleared_when_it_is_over_for_as_long(
    moments: list[tuple[float, bool | None]], expected: list[tuple[str, float]]
) -> None:
    assert told(Conditions(RULES), *moments) == expected


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1], []),
        ([0, 6, 12, 18], []),
        ([0, 1, 2], [("raised", 2), ("cleared", 12)]),
        ([0, 1, 2, 3, 4, 9], [("raised", 2), ("cleared", 19)]),
        ([0, 1, 2, 20, 21, 22], [("raised", 2), ("cleared", 12)]),
        ([0, 1, 2, 100, 101, 102, 103], [("raised", 2), ("cleared", 12), ("raised", 102), ("cleared", 113)]),
    ],
)
def test_a_burst_is_raised_by_its_threshold_and_cleared_by_quiet(
    times: list[float], expected: list[tuple[str, float]]
) -> None:
    moments = [(float(time), True) for time in times]
    assert told(Conditions(RULES), *moments, (400.0, None), kind=BURST) == expected


def test_moments_are_told_one_a_cooldown_and_none_is_lost() -> None:
    conditions = Conditions(RULES)
    notices = [n for now in (0, 10, 20) for n in conditions.hear(Signal(MOMENT), now)]
    assert conditions.due() == 100
    notices += conditions.tick(100)
    assert [(notice.at, notice.missed) for notice in notices] == [(0, 0), (100, 1)]
    assert conditions.due() is None


def test_a_raise_says_how_often_it_has_been_so_without_a_word() -> None:
    conditions = Conditions(RULES)
    told(conditions, (0, True), (20, False), (35, True), (50, False), (55, True), (70, False), (75, False))
    (raised,) = [
        n for n in conditions.hear(Signal(STATE, "x"), 200) + conditions.tick(210) if n.turn is Turn.RAISED
    ]
    assert raised.missed == 2


def test_a_clear_has_the_name_that_its_kind_gives_it_and_the_severity_of_its_raise() -> None:
    conditions = Conditions(RULES)
    conditions.hear(Signal(STATE, "git", "exited"), 0)
    (raised,) = conditions.tick(10)
    conditions.hear(Signal(STATE, "git", "ready", is_on=False), 20)
    (cleared,) = conditions.tick(30)
    critical = Severity.CRITICAL
    assert raised == Notice("server_down", "git", Turn.RAISED, critical, 10, 0, "exited")
    assert cleared == Notice("server_recovered", "git", Turn.CLEARED, critical, 30, 10, "ready")


def test_a_late_clock_loses_no_raise() -> None:
    conditions = Conditions(RULES)
    conditions.hear(Signal(STATE, "x"), 0)
    (raised,) = conditions.hear(Signal(STATE, "x", is_on=False), 40)
    assert raised.turn is Turn.RAISED
    (cleared,) = conditions.tick(50)
    assert cleared.turn is Turn.CLEARED


def test_what_is_switched_off_is_cleared_and_not_heard_again() -> None:
    conditions = Conditions(RULES)
    told(conditions, (0, True), (10, None))
    off = {**RULES, STATE: Rule(Severity.CRITICAL, 10, 100, enabled=False)}
    (cleared,) = conditions.adopt(off, 15)
    assert (cleared.turn, cleared.summary) == (Turn.CLEARED, "its rule was switched off")
    assert conditions.hear(Signal(STATE, "x"), 300) == []
    assert conditions.due() is None


def test_a_condition_goes_on_in_the_next_process() -> None:
    conditions = Conditions(RULES)
    told(conditions, (0, True), (10, None))
    after = Conditions(RULES)
    for kind, subject, track in conditions:
        after.restore(kind, subject, track, 60)
    assert told(after, (60, True), (70, False), (90, None)) == [("cleared", 80)]


def test_a_clock_that_went_back_does_not_silence_what_was_kept() -> None:
    conditions = Conditions(RULES)
    conditions.restore(STATE, "x", Track(raised_at=9e9, since=9e9), 60)
    assert told(conditions, (60, True), (300, None)) == [("raised", 160)]


def test_what_is_over_is_forgotten() -> None:
    conditions = Conditions(RULES)
    told(conditions, (0, True), (20, False), (30, None))
    assert len(list(conditions)) == 1
    conditions.tick(110)
    assert list(conditions) == []


def test_subjects_are_bounded() -> None:
    conditions = Conditions(RULES)
    for number in range(5000):
        conditions.hear(Signal(STATE, str(number)), 0)
    assert len(list(conditions)) == 4096
    assert conditions.refused == 5000 - 4096


# Properties

KINDS = [STATE, BURST, MOMENT]
steps = st.lists(
    st.tuples(
        st.floats(0, 60), st.sampled_from(KINDS), st.sampled_from("ab"), st.sampled_from([True, False, None])
    ),
    max_size=80,
)
rules = st.builds(
    Rule,
    severity=st.just(Severity.INFO),
    seconds=st.sampled_from([0.5, 5.0, 30.0]),
    cooldown=st.sampled_from([0.0, 10.0, 120.0]),
    threshold=st.integers(1, 4),
)


Moments = list[tuple[float, str, str, bool | None]]


def run(rule: Rule, moments: Moments) -> Iterator[tuple[float, str, Notice]]:
    """Every notice as it is told, with the kind of its condition; ticks come late or in time, as the moments have it.

    After the last moment every tick comes in time, until nothing is due.
    """
    conditions, now = Conditions(dict.fromkeys(ALERT_KINDS, rule)), 1000.0
    for pause, kind, subject, is_on in moments:
        now += pause
        signal = Signal(kind, subject, is_on=is_on is True)
        for notice in conditions.tick(now) if is_on is None else conditions.hear(signal, now):
            yield now, BEFORE.get(notice.kind, notice.kind), notice
    for _ in range(100):
        due = conditions.due()
        if due is None:
            return
        now = max(now, due)
        for notice in conditions.tick(now):
            yield now, BEFORE.get(notice.kind, notice.kind), notice
    raise AssertionError("it does not come to rest")


BEFORE = {"server_recovered": "server_down"}


@given(rules, steps)
def test_raise_and_clear_alternate_and_raises_keep_their_cooldown(rule: Rule, moments: Moments) -> None:
    last: dict[tuple[str, str], Turn] = {}
    raised_at: dict[tuple[str, str], float] = {}
    for now, kind, notice in run(rule, moments):
        key = (kind, notice.subject)
        if kind != MOMENT:
            assert last.get(key, Turn.CLEARED) is not notice.turn
        last[key] = notice.turn
        if notice.turn is Turn.RAISED:
            assert now >= raised_at.get(key, -1e9) + rule.cooldown
            raised_at[key] = now


@given(rules, steps)
def test_in_the_end_what_holds_is_raised_and_what_does_not_is_cleared(rule: Rule, moments: Moments) -> None:
    holds = {(kind, subject): on for _, kind, subject, on in moments if on is not None}
    last = {(kind, notice.subject): notice.turn for _, kind, notice in run(rule, moments)}
    for (kind, subject), on in holds.items():
        raised = last.get((kind, subject), Turn.CLEARED) is Turn.RAISED
        if kind == STATE:
            assert raised == on
        if kind == BURST:
            assert not raised


@given(rules, steps)
def test_every_moment_is_told_or_counted(rule: Rule, moments: Moments) -> None:
    told = sum(1 + notice.missed for _, kind, notice in run(rule, moments) if kind == MOMENT)
    assert told == sum(kind == MOMENT and on is True for _, kind, _, on in moments)


@given(rules, steps)
def test_what_was_told_makes_up_for_a_track_that_was_not_kept(rule: Rule, moments: Moments) -> None:
    kept: dict[tuple[str, str], Track] = {}
    for _, kind, notice in run(rule, moments):
        key, nature = (kind, notice.subject), ALERT_KINDS[kind].nature
        at, since = (int(1000 * moment) / 1000 for moment in (notice.at, notice.since))
        track = recalled(kept.get(key), Told(notice.turn, at, since), nature)
        assert track.is_raised == (notice.turn is Turn.RAISED and kind != MOMENT)
        raised_at = at if notice.turn is Turn.RAISED else since
        assert track.raised_at == raised_at
        assert recalled(track, Told(notice.turn, at, since), nature).is_raised == track.is_raised
        kept[key] = track


def test_a_track_that_is_newer_than_what_was_told_stays() -> None:
    track = Track(is_on=True, since=90.0, is_raised=True, raised_at=100.0005)
    nature = ALERT_KINDS[STATE].nature
    for told in (
        Told(Turn.RAISED, 100.0, 90.0),
        Told(Turn.RAISED, 50.0, 40.0),
        Told(Turn.CLEARED, 80.0, 50.0),
    ):
        assert recalled(track, told, nature) is track
