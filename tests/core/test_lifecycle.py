"""The table of an upstream's life, and the back-off."""

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.lifecycle import (
    OFFERING_GRACE,
    STABLE_AFTER,
    TABLE,
    Event,
    Life,
    State,
    delay,
    is_listed,
    step,
)
from onemcp.core.spec import RestartPolicy

POLICY = RestartPolicy()


def follow(*events: Event, policy: RestartPolicy = POLICY, apart: float = 1.0) -> Life:
    life, now = Life(State.CONNECTING, 0.0), 0.0
    for event in events:
        now += apart
        life = step(life, event, now, policy, jitter=0.5, reason=event.value)
    return life


def test_an_attempt_that_opens_makes_it_ready() -> None:
    life = follow(Event.OPENED)
    assert life.state is State.READY
    assert life.ready_at == 1.0
    assert life.reason == ""


def test_a_refused_attempt_is_followed_by_another_one() -> None:
    life = follow(Event.REFUSED)
    assert life.state is State.BACKOFF
    assert life.retry_at == 1.0 + delay(POLICY, 1, 0.5)
    assert life.reason == "refused"
    assert follow(Event.REFUSED, Event.DUE).state is State.CONNECTING


def test_what_no_attempt_will_mend_has_failed_at_once() -> None:
    life = follow(Event.UNFIT)
    assert life.state is State.FAILED
    assert life.retry_at is None


def test_missing_credentials_wait_for_somebody() -> None:
    assert follow(Event.DENIED).state is State.AWAITING_AUTH
    assert follow(Event.DENIED, Event.DUE).state is State.CONNECTING


def test_a_policy_without_restarts_fails_on_the_first_loss() -> None:
    policy = RestartPolicy(enabled=False)
    assert follow(Event.OPENED, Event.LOST, policy=policy).state is State.FAILED


def test_restarts_are_counted_in_a_row() -> None:
    policy = RestartPolicy(max_restarts=2)
    events = [Event.OPENED, Event.LOST, Event.DUE]
    assert follow(*events, *events, policy=policy).state is State.CONNECTING
    assert follow(*events, *events, Event.OPENED, Event.LOST, policy=policy).state is State.FAILED


def test_a_long_readiness_forgives_earlier_failures() -> None:
    life = follow(Event.REFUSED, Event.DUE, Event.OPENED, Event.LOST, apart=STABLE_AFTER + 1)
    assert life.failures == 1


def test_an_event_without_a_row_changes_nothing() -> None:
    life = follow(Event.OPENED)
    assert step(life, Event.DUE, 9.0, POLICY, jitter=0.0) is life


def test_a_quick_restart_keeps_the_offering_in_the_lists() -> None:
    life = follow(Event.OPENED, Event.LOST)
    assert is_listed(life, 2.0 + OFFERING_GRACE - 0.1)
    assert not is_listed(life, 2.0 + OFFERING_GRACE)
    again = follow(Event.OPENED, Event.LOST, Event.DUE)
    assert is_listed(again, 4.0)


def test_one_that_was_never_ready_is_in_no_list() -> None:
    assert not is_listed(follow(Event.REFUSED), 1.0)


def test_one_that_failed_for_good_leaves_the_lists_at_once() -> None:
    policy = RestartPolicy(enabled=False)
    assert not is_listed(follow(Event.OPENED, Event.LOST, policy=policy), 2.0)


@given(st.lists(st.sampled_from(Event)))
def test_any_story_keeps_to_the_table(events: list[Event]) -> None:
    life = Life(State.CONNECTING, 0.0)
    for number, event in enumerate(events):
        after = step(life, event, float(number), POLICY, jitter=0.3)
        if after is not life:
            allowed = State.STOPPING if event is Event.STOPPED else TABLE[life.state, event]
            assert after.state in (allowed, State.FAILED)
        assert (after.retry_at is not None) == (after.state is State.BACKOFF)
        life = after


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_delay_stays_within_half_and_whole_of_its_ceiling(failures: int, jitter: float) -> None:
    seconds = delay(POLICY, failures, jitter)
    assert POLICY.first_delay / 2 <= seconds <= POLICY.max_delay
