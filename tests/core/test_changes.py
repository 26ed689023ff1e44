"""Gathering changes into notices."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.changes import Batch, Kind, difference
from onemcp.core.offering import Item, Listing, Offering

STEPS = st.lists(
    st.tuples(st.sampled_from(Kind), st.sampled_from(["a", "b", "c"]), st.floats(0, 3)), max_size=40
)
DELAYS = st.floats(0, 2)
CAPS = st.floats(0, 5)


class Model:
    """What a batch should hold, noted naively; each flush compares."""

    def __init__(self, delay: float, cap: float) -> None:
        self.batch = Batch(delay, cap)
        self.cap = cap
        self.noted: list[tuple[Kind, str, float]] = []

    def add(self, kind: Kind, upstream: str, now: float) -> None:
        self.batch.add(kind, upstream, now)
        self.noted.append((kind, upstream, now))

    def flush_until(self, now: float) -> None:
        due = self.batch.due()
        assert (due is None) == (not self.noted)
        if due is None or due > now:
            assert self.batch.take(now) == {}
            return
        assert due <= self.noted[0][2] + self.cap
        kinds = {kind for kind, _, _ in self.noted}
        wanted = {kind: frozenset(name for other, name, _ in self.noted if other is kind) for kind in kinds}
        assert self.batch.take(due) == wanted
        self.noted.clear()


@given(DELAYS, CAPS, STEPS)
def test_every_change_is_told_once_and_in_time(
    delay: float, cap: float, steps: list[tuple[Kind, str, float]]
) -> None:
    model, now = Model(delay, cap), 0.0
    for kind, upstream, pause in steps:
        now += pause
        model.flush_until(now)
        model.add(kind, upstream, now)
    model.flush_until(math.inf)
    assert model.batch.due() is None
    assert model.batch.take(math.inf) == {}


def test_a_burst_is_one_notice_after_its_end() -> None:
    batch = Batch(1.0, 5.0)
    for number in range(30):
        batch.add(Kind.TOOLS, f"s{number}", number * 0.01)
        batch.add(Kind.PROMPTS, f"s{number}", number * 0.01)
    assert batch.due() == pytest.approx(1.29)
    names = frozenset(f"s{number}" for number in range(30))
    assert batch.take(2.0) == {Kind.TOOLS: names, Kind.PROMPTS: names}


def test_a_steady_trickle_gets_out_at_the_cap() -> None:
    batch = Batch(1.0, 5.0)
    for number in range(100):
        batch.add(Kind.TOOLS, "s", 10.0 + number * 0.5)
    assert batch.due() == 15.0


def test_nothing_is_taken_before_it_is_due() -> None:
    batch = Batch(1.0, 5.0)
    batch.add(Kind.TOOLS, "s", 10.0)
    assert batch.take(10.9) == {}
    assert batch.take(11.0) == {Kind.TOOLS: frozenset({"s"})}
    assert batch.take(12.0) == {}


def test_without_a_delay_a_change_is_due_at_once() -> None:
    batch = Batch(0.0, 0.0)
    assert batch.due() is None
    batch.add(Kind.RESOURCES, "s", 7.0)
    assert batch.due() == 7.0


def test_a_kind_names_its_notification() -> None:
    assert [kind.method for kind in Kind] == [
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
    ]


@pytest.mark.parametrize(
    ("listing", "kind"),
    [
        (Listing.TOOLS, Kind.TOOLS),
        (Listing.PROMPTS, Kind.PROMPTS),
        (Listing.RESOURCES, Kind.RESOURCES),
        (Listing.TEMPLATES, Kind.RESOURCES),
    ],
)
def test_a_list_that_differs_is_told_of_by_its_kind(listing: Listing, kind: Kind) -> None:
    one, other = (Offering({listing: (Item("a", text),)}) for text in (b"1", b"2"))
    assert difference(one, other) == difference(None, one) == difference(one, None) == {kind}


def test_equal_offerings_do_not_differ() -> None:
    assert difference(Offering(instructions="a"), Offering({Listing.TOOLS: ()})) == frozenset()
    assert difference(None, None) == difference(None, Offering()) == frozenset()
