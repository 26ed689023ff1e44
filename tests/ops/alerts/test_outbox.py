"""The outbox: bounded, and in the store before anybody is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from onemcp.ops.alerts.alert import Alert, make_test
from onemcp.ops.alerts.outbox import GIVE_UP, MAX_DEAD, MAX_HISTORY, MAX_PENDING, Outbox
from onemcp.store.memory import MemoryStore
from onemcp.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

NOW = 1_760_000_000.0


def alert(number: int = 0) -> Alert:
    return replace(make_test(NOW + number, "node"), id=f"{1760000000000 + number}-{number:06d}")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def reopened(store: MemoryStore, now: float = NOW) -> Outbox:
    """The outbox of the next process."""
    outbox = Outbox(store)
    await outbox.load(now)
    return outbox


async def test_what_was_added_waits_for_each_webhook_in_its_order_also_in_the_next_process(
    store: MemoryStore,
) -> None:
    outbox = Outbox(store)
    for number in range(3):
        await outbox.add(alert(number), ["a", "b"])
    await outbox.delivered(next(iter(outbox.waiting("a"))), NOW)
    for each in (outbox, await reopened(store)):
        assert [pending.alert for pending in each.waiting("a")] == [alert(1), alert(2)]
        assert [pending.alert for pending in each.waiting("b")] == [alert(0), alert(1), alert(2)]
        assert sorted(each.webhooks()) == ["a", "b"]


async def test_what_is_given_up_is_a_dead_letter_and_counted(store: MemoryStore) -> None:
    outbox = Outbox(store)
    await outbox.add(alert(), ["a"])
    await outbox.bury(next(iter(outbox.waiting("a"))), "answered with status 410", NOW)
    assert (outbox.dead, list(outbox.waiting("a")), outbox.webhooks()) == (1, [], [])
    after = await reopened(store)
    assert [(one["id"], one["webhook"], one["error"]) for one in after.dead_letters()] == [
        (alert().id, "a", "answered with status 410")
    ]


async def test_a_queue_that_is_full_gives_up_its_oldest(store: MemoryStore) -> None:
    outbox = Outbox(store)
    for number in range(MAX_PENDING + 2):
        await outbox.add(alert(number), ["a"])
    waiting = [pending.alert for pending in outbox.waiting("a")]
    assert (len(waiting), waiting[0]) == (MAX_PENDING, alert(2))
    assert outbox.dead == 2


async def test_history_and_dead_letters_are_bounded_here_and_in_the_store(store: MemoryStore) -> None:
    outbox = Outbox(store)
    for number in range(MAX_HISTORY + 5):
        await outbox.add(alert(number), ["a"] if number < MAX_DEAD + 5 else [])
    for pending in list(outbox.waiting("a")):
        await outbox.bury(pending, "x", NOW)
    after = await reopened(store)
    for each in (outbox, after):
        assert len(each.history(10_000)) == MAX_HISTORY
        assert len(each.dead_letters()) == MAX_DEAD
        assert [one["id"] for one in each.history(2)] == [
            alert(n).id for n in (MAX_HISTORY + 4, MAX_HISTORY + 3)
        ]
    assert after.history(0) == []


async def test_what_is_not_understood_is_dropped_and_the_rest_taken_up(store: MemoryStore) -> None:
    await store.put(
        "alerts/outbox/0/a", b'{"webhook": "a", "alert": {"of": "another version"}}', NOW + 10, NOW
    )
    await Outbox(store).add(alert(), ["a"])
    outbox = await reopened(store)
    assert [pending.alert for pending in outbox.waiting("a")] == [alert()]
    assert await store.get("alerts/outbox/0/a", NOW) is None


@pytest.fixture
async def broken(tmp_path: Path) -> SqliteStore:
    """A store that answers nothing any more."""
    async with SqliteStore.open(tmp_path / "store.db") as store:
        pass
    return store


async def test_while_the_store_fails_memory_does(broken: SqliteStore) -> None:
    outbox = Outbox(broken)
    await outbox.load(NOW)
    await outbox.add(alert(), ["a"])
    (pending,) = outbox.waiting("a")
    await outbox.delivered(pending, NOW)
    assert list(outbox.waiting("a")) == []
    assert len(outbox.history(5)) == 1


def told(number: int, status: str, kind: str = "server_down", subject: str = "git") -> Alert:
    return replace(
        alert(number),
        kind=kind,
        status=status,
        subject=subject,
        key=f"server_down/{subject}",
        severity="critical",
    )


def waiting(outbox: Outbox) -> list[tuple[str, str]]:
    return [(one.alert.id[-1], one.alert.status) for one in outbox.waiting("a")]


@pytest.mark.parametrize(
    ("before", "meanwhile", "left"),
    [
        ([], ["raised"], [("1", "raised")]),
        ([], ["raised", "cleared"], []),
        ([], ["raised", "cleared", "raised"], [("3", "raised")]),
        ([], ["cleared"], [("1", "cleared")]),
        ([], ["cleared", "raised"], [("1", "cleared"), ("2", "raised")]),
        ([], ["cleared", "raised", "cleared"], [("1", "cleared")]),
        (["raised"], ["cleared"], [("0", "raised"), ("1", "cleared")]),
    ],
)
async def test_what_is_held_is_what_will_be_news(
    store: MemoryStore, before: list[str], meanwhile: list[str], left: list[tuple[str, str]]
) -> None:
    outbox = Outbox(store)
    for status in before:  # which may have been sent already, and arrived
        await outbox.add(told(0, status), ["a"])
    for number, status in enumerate(meanwhile, 1):
        await outbox.hold(told(number, status), ["a"])
        await outbox.hold(told(number + 4, "raised", subject="other"), [])
    assert waiting(outbox) == waiting(await reopened(store)) == left
    assert len(outbox.history(50)) == len(before) + 2 * len(meanwhile)


async def test_of_what_has_nothing_to_clear_nothing_is_held(store: MemoryStore) -> None:
    outbox = Outbox(store)
    await outbox.hold(replace(alert(), kind="instance_started"), ["a"])
    await outbox.hold(told(1, "cleared", "server_recovered"), ["a"])
    assert waiting(outbox) == [("1", "cleared")]


async def test_what_is_released_is_as_good_as_new_also_in_the_next_process(store: MemoryStore) -> None:
    outbox = Outbox(store)
    await outbox.hold(told(1, "raised"), ["a"])
    (held,) = (await reopened(store, NOW + 3 * GIVE_UP)).waiting("a")
    assert held.is_held
    await outbox.release(NOW + 3 * GIVE_UP)
    for each in (outbox, await reopened(store, NOW + 3 * GIVE_UP)):
        (pending,) = each.waiting("a")
        assert not pending.is_held
        assert pending.age(NOW + 3 * GIVE_UP + 5) == 5
