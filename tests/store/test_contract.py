"""The contract of the store, held against every engine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.store.engines import ENGINES, Engine, Store

from onemcp.errors import StoreError
from onemcp.store.base import EVENT_OVERHEAD, MAX_VALUE, Bounds, Entry, Event, VersionConflict

pytestmark = pytest.mark.anyio

LIMIT = 10.0
NEVER = float("inf")
EACH = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))


@pytest.fixture(params=list(ENGINES.values()), ids=list(ENGINES))
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    engine: Engine = request.param
    async with asyncio.timeout(LIMIT), engine(Bounds()) as opened:
        yield opened


# Entries


async def test_what_was_put_is_there_under_its_key_only(store: Store) -> None:
    version = await store.put("session/a", b"\x00one\xff", NEVER, 1.0)
    assert await store.get("session/a", 1.0) == Entry(b"\x00one\xff", version)
    assert await store.get("session/b", 1.0) is None


async def test_an_empty_value_is_a_value(store: Store) -> None:
    version = await store.put("a", b"", NEVER, 1.0)
    assert await store.get("a", 1.0) == Entry(b"", version)


async def test_an_entry_is_good_until_it_expires(store: Store) -> None:
    version = await store.put("a", b"1", 100.0, 1.0)
    assert await store.get("a", 99.9) == Entry(b"1", version)
    assert await store.get("a", 100.0) is None
    assert await store.take("a", 100.0) is None
    assert await store.scan("", 100.0) == []
    assert await store.delete("a", 100.0) is False


async def test_writing_again_replaces_the_value_and_moves_the_expiry(store: Store) -> None:
    await store.put("a", b"1", 100.0, 1.0)
    version = await store.put("a", b"2", 200.0, 1.0)
    assert await store.get("a", 150.0) == Entry(b"2", version)
    assert await store.scan("", 150.0) == [("a", Entry(b"2", version))]


async def test_versions_rise_over_deletion_taking_and_expiry(store: Store) -> None:
    seen = [await store.put("a", b"1", 100.0, 1.0)]
    await store.delete("a", 1.0)
    seen.append(await store.put("a", b"2", 100.0, 1.0))
    await store.take("a", 1.0)
    seen.append(await store.put("a", b"3", 100.0, 1.0))
    assert await store.get("a", 100.0) is None
    seen.append(await store.put("a", b"4", 200.0, 100.0))
    seen.append(await store.put("a", b"5", 200.0, 100.0))
    assert seen == sorted(set(seen))
    assert seen[0] > 0


async def test_a_put_under_a_version_that_is_past_changes_nothing(store: Store) -> None:
    old = await store.put("a", b"1", 100.0, 1.0)
    new = await store.put("a", b"2", 100.0, 1.0, version=old)
    for wrong in (old, 0, new + 1):
        with pytest.raises(VersionConflict):
            await store.put("a", b"3", 500.0, 1.0, version=wrong)
    assert await store.get("a", 99.0) == Entry(b"2", new)
    assert await store.get("a", 100.0) is None


async def test_version_zero_asks_for_nothing_to_be_there(store: Store) -> None:
    await store.put("a", b"1", 100.0, 1.0, version=0)
    with pytest.raises(VersionConflict):
        await store.put("a", b"2", 100.0, 1.0, version=0)
    assert await store.get("a", 100.0) is None
    assert await store.put("a", b"3", 200.0, 100.0, version=0)
    with pytest.raises(VersionConflict):
        await store.put("b", b"4", 200.0, 100.0, version=7)
    assert await store.get("b", 150.0) is None


async def test_writing_and_deleting_go_by_their_own_time(store: Store) -> None:
    await store.put("a", b"1", 100.0, 1.0)
    await store.put("b", b"1", 100.0, 1.0)
    assert await store.delete("a", 150.0) is False
    assert await store.put("b", b"2", 200.0, 150.0, version=0)


async def test_of_several_takers_exactly_one_gets_it(store: Store) -> None:
    version = await store.put("a", b"1", NEVER, 1.0)
    taken = await asyncio.gather(*[store.take("a", 1.0) for _ in range(50)])
    assert [entry for entry in taken if entry] == [Entry(b"1", version)]
    assert await store.get("a", 1.0) is None


async def test_of_several_first_writers_exactly_one_succeeds(store: Store) -> None:
    done = await asyncio.gather(
        *[store.put("a", b"%d" % number, NEVER, 1.0, version=0) for number in range(50)],
        return_exceptions=True,
    )
    won = [number for number, result in enumerate(done) if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(done[number], VersionConflict) for number in range(50) if number not in won)
    entry = await store.get("a", 1.0)
    assert entry is not None
    assert (entry.value, entry.version) == (b"%d" % won[0], done[won[0]])


async def test_deleting_says_whether_there_was_something(store: Store) -> None:
    await store.put("a", b"1", NEVER, 1.0)
    assert await store.delete("a", 1.0) is True
    assert await store.delete("a", 1.0) is False
    assert await store.get("a", 1.0) is None


async def test_an_oversize_value_is_refused_and_changes_nothing(store: Store) -> None:
    version = await store.put("a", b"1", NEVER, 1.0)
    with pytest.raises(StoreError, match="a: 1048577 bytes"):
        await store.put("a", b"x" * (MAX_VALUE + 1), NEVER, 1.0)
    assert await store.get("a", 1.0) == Entry(b"1", version)
    await store.put("a", b"x" * MAX_VALUE, NEVER, 1.0)
    entry = await store.get("a", 1.0)
    assert entry is not None
    assert entry.value == b"x" * MAX_VALUE


@pytest.mark.parametrize("trap", ["%", "_", "\\", "[a-z]", "*", "?", "'", '"', "~"])
async def test_a_prefix_is_no_pattern(store: Store, trap: str) -> None:
    for key in ("a", f"a{trap}", f"a{trap}b", "ab", "axb", "A" + trap, trap):
        await store.put(key, key.encode(), NEVER, 1.0)
    found = await store.scan(f"a{trap}", 1.0)
    assert [(key, entry.value) for key, entry in found] == [
        (f"a{trap}", f"a{trap}".encode()),
        (f"a{trap}b", f"a{trap}b".encode()),
    ]


async def test_a_scan_keeps_to_its_limit_and_leaves_out_what_has_expired(store: Store) -> None:
    for number in range(20):
        await store.put(f"a/{number:02}", b"", 10.0 if number % 2 else 100.0, 1.0)
    assert [key for key, _ in await store.scan("a/", 50.0, 3)] == ["a/00", "a/02", "a/04"]
    assert len(await store.scan("a/", 50.0)) == 10
    assert await store.scan("b", 50.0) == []


async def test_in_a_store_that_is_only_written_what_expired_makes_way(store: Store) -> None:
    for number in range(500):
        await store.put(f"{number:04}", b"x", float(number + 5), float(number))
    assert [key for key, _ in await store.scan("", 499.0)] == [f"{number:04}" for number in range(495, 500)]
    assert len(await store.scan("", 0.0)) <= 5 + 2  # those of the past are not just left out


async def test_a_cancelled_caller_disturbs_nobody(store: Store) -> None:
    calls = [asyncio.ensure_future(store.put(f"a/{number}", b"x", NEVER, 1.0)) for number in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, int) for result in done[1::2])
    assert {f"a/{number}" for number in range(1, 20, 2)} <= {key for key, _ in await store.scan("a/", 1.0)}


KEYS = ("", "a", "a%", "a_", "a/", "a/b", "a/b%c", "a0", "ab", "A", "b", "~", "~~")
KEY = st.sampled_from(KEYS)
VERSION = st.sampled_from(["any", "now", "zero", "before"])
STEP = st.one_of(
    st.tuples(st.just("put"), KEY, VERSION, st.integers(0, 30)),
    st.tuples(st.just("get"), KEY),
    st.tuples(st.just("take"), KEY),
    st.tuples(st.just("delete"), KEY),
    st.tuples(st.just("scan"), KEY, st.integers(1, 5)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)


@dataclass
class ModelEntries:
    """What the entries must be: a dictionary without what has expired."""

    now: float = 0.0
    slots: dict[str, tuple[Entry, float]] = field(default_factory=dict)
    last: int = 0

    def get(self, key: str) -> Entry | None:
        entry, expires = self.slots.get(key, (None, 0.0))
        return entry if self.now < expires else None

    def version(self, key: str) -> int:
        entry = self.get(key)
        return entry.version if entry else 0


async def put(store: Store, model: ModelEntries, key: str, which: str, lifetime: int) -> None:
    version = {"any": None, "now": model.version(key), "zero": 0, "before": model.last - 1}[which]
    value = b"%d" % model.last
    expires = model.now + lifetime
    if version is None or version == model.version(key):
        written = await store.put(key, value, expires, model.now, version=version)
        assert written > model.last
        model.slots[key] = (Entry(value, written), expires)
        model.last = written
    else:
        with pytest.raises(VersionConflict):
            await store.put(key, value, expires, model.now, version=version)


@EACH
@given(steps=st.lists(STEP, max_size=40))
async def test_entries_are_a_dictionary_that_forgets(
    engine: Engine, steps: list[tuple[str, str, str, int]]
) -> None:
    model = ModelEntries()
    async with asyncio.timeout(LIMIT), engine(Bounds()) as store:
        for do, *rest in steps:
            match do, rest:
                case "put", [str(key), str(which), int(lifetime)]:
                    await put(store, model, key, which, lifetime)
                case "get", [str(key)]:
                    assert await store.get(key, model.now) == model.get(key)
                case "take", [str(key)]:
                    assert await store.take(key, model.now) == model.get(key)
                    model.slots.pop(key, None)
                case "delete", [str(key)]:
                    assert await store.delete(key, model.now) is (model.get(key) is not None)
                    model.slots.pop(key, None)
                case "scan", [str(prefix), int(limit)]:
                    found = [(key, model.get(key)) for key in sorted(model.slots) if key.startswith(prefix)]
                    expected = [(key, entry) for key, entry in found if entry][:limit]
                    assert list(await store.scan(prefix, model.now, limit)) == expected
                case "wait", [int(seconds)]:
                    model.now += seconds


# Logs


def numbers(events: object) -> list[int]:
    assert isinstance(events, (list, tuple))
    return [event.number for event in events]


async def test_a_reader_sees_what_was_appended_just_before(store: Store) -> None:
    store.append("s", 1, b"one", 1.0)
    store.append("s", 5, b"", 1.0)
    store.append("t", 2, b"other", 1.0)
    assert list(await store.read("s", 0, 1.0)) == [Event(1, b"one"), Event(5, b"")]
    assert list(await store.read("s", 1, 1.0)) == [Event(5, b"")]
    assert list(await store.read("s", 5, 1.0)) == []
    assert list(await store.read("u", 0, 1.0)) == []
    await store.flush()
    assert store.dropped == 0


async def test_a_number_that_does_not_rise_is_refused_and_said(store: Store) -> None:
    store.append("s", 5, b"one", 1.0)
    store.append("s", 5, b"again", 1.0)
    store.append("s", 4, b"before", 1.0)
    with pytest.raises(StoreError, match="2 events were not kept"):
        await store.flush()
    assert store.dropped == 2
    assert list(await store.read("s", 0, 1.0)) == [Event(5, b"one")]
    await store.flush()


@EACH
async def test_a_stream_keeps_its_newest_events(engine: Engine) -> None:
    async with engine(Bounds(events=3)) as store:
        for number in range(10):
            store.append("s", number, b"x", 1.0)
            store.append(f"t/{number}", 1, b"x", 1.0)
        assert numbers(await store.read("s", -1, 1.0)) == [7, 8, 9]
        assert numbers(await store.read("t/0", -1, 1.0)) == [1]
        assert store.dropped == 0


@EACH
async def test_a_stream_keeps_to_its_bytes(engine: Engine) -> None:
    async with engine(Bounds(stream_bytes=4 * (EVENT_OVERHEAD + 100))) as store:
        for number in range(10):
            store.append("s", number, b"x" * 100, 1.0)
        assert numbers(await store.read("s", -1, 1.0)) == [6, 7, 8, 9]
        store.append("s", 10, b"x" * (EVENT_OVERHEAD + 300), 1.0)
        assert numbers(await store.read("s", -1, 1.0)) == [9, 10]


@EACH
async def test_all_streams_together_keep_to_their_bytes_and_the_oldest_event_goes_first(
    engine: Engine,
) -> None:
    async with engine(Bounds(total_bytes=4 * EVENT_OVERHEAD)) as store:
        for number in range(6):
            store.append("st"[number % 2], number, b"", 1.0)
        store.append("u", 6, b"", 1.0)
        assert numbers(await store.read("s", -1, 1.0)) == [4]
        assert numbers(await store.read("t", -1, 1.0)) == [3, 5]
        assert numbers(await store.read("u", -1, 1.0)) == [6]


@EACH
async def test_an_event_too_large_for_its_stream_is_refused_and_drives_none_out(engine: Engine) -> None:
    async with engine(Bounds(stream_bytes=2 * EVENT_OVERHEAD)) as store:
        store.append("s", 1, b"one", 1.0)
        store.append("s", 2, b"x" * (EVENT_OVERHEAD + 1), 1.0)
        assert numbers(await store.read("s", 0, 1.0)) == [1]
        assert store.dropped == 1
        store.append("s", 3, b"x" * EVENT_OVERHEAD, 1.0)
        assert numbers(await store.read("s", 0, 1.0)) == [3]


@EACH
async def test_events_age(engine: Engine) -> None:
    async with engine(Bounds(age=10.0)) as store:
        store.append("s", 1, b"", 100.0)
        store.append("s", 2, b"", 105.0)
        assert numbers(await store.read("s", 0, 109.9)) == [1, 2]
        assert numbers(await store.read("s", 0, 110.0)) == [2]
        assert numbers(await store.read("s", 0, 115.0)) == []


async def test_dropping_forgets_the_streams_with_the_prefix_and_no_others(store: Store) -> None:
    streams = ("a", "a%", "a%/b", "ab", "axb", "A%", "%")
    for stream in streams:
        store.append(stream, 1, b"x", 1.0)
        store.append(stream, 2, b"x", 1.0)
    await store.drop("a%")
    left = [stream for stream in streams if await store.read(stream, 0, 1.0)]
    assert left == ["a", "ab", "axb", "A%", "%"]
    store.append("a%", 1, b"new", 1.0)
    assert list(await store.read("a%", 0, 1.0)) == [Event(1, b"new")]


EVENT_STEP = st.one_of(
    st.tuples(st.just("append"), st.sampled_from("st%"), st.integers(0, 3), st.integers(1, 20)),
    st.tuples(st.just("read"), st.sampled_from("st%"), st.integers(-3, 60)),
    st.tuples(st.just("drop"), st.sampled_from(["s", "t", "%", ""])),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)


@dataclass
class ModelLog:
    """What the log must be: one list, from which the oldest go until it is within the bounds."""

    bounds: Bounds
    now: float = 0.0
    number: int = 0
    dropped: int = 0
    kept: list[tuple[str, int, float, bytes]] = field(default_factory=list)

    def append(self, stream: str, data: bytes) -> None:
        if weight(data) > self.bounds.event_bytes:
            self.dropped += 1
            return
        self.kept.append((stream, self.number, self.now, data))
        self.kept = [event for event in self.kept if event[2] > self.now - self.bounds.age]
        while self.exceeds([event for event in self.kept if event[0] == stream]):
            self.kept.remove(next(event for event in self.kept if event[0] == stream))
        while sum(weight(event[3]) for event in self.kept) > self.bounds.total_bytes:
            self.kept.pop(0)

    def exceeds(self, events: list[tuple[str, int, float, bytes]]) -> bool:
        return (
            len(events) > self.bounds.events
            or sum(weight(event[3]) for event in events) > self.bounds.stream_bytes
        )

    def read(self, stream: str, after: int) -> list[Event]:
        since = self.now - self.bounds.age
        return [
            Event(number, data)
            for name, number, time, data in self.kept
            if name == stream and number > after and time > since
        ]


def weight(data: bytes) -> int:
    return len(data) + EVENT_OVERHEAD


BOUNDS = st.builds(
    Bounds,
    events=st.integers(1, 6),
    stream_bytes=st.integers(EVENT_OVERHEAD, 5 * EVENT_OVERHEAD),
    total_bytes=st.integers(EVENT_OVERHEAD, 9 * EVENT_OVERHEAD),
    age=st.floats(5, 30),
)


@EACH
@given(bounds=BOUNDS, steps=st.lists(EVENT_STEP, max_size=40))
async def test_a_log_is_a_list_whose_oldest_go(
    engine: Engine, bounds: Bounds, steps: list[tuple[str, str, int, int]]
) -> None:
    model = ModelLog(bounds)
    async with asyncio.timeout(LIMIT), engine(bounds) as store:
        for do, *rest in steps:
            match do, rest:
                case "append", [str(stream), int(size), int(count)]:
                    for _ in range(count):
                        model.number += 1
                        data = b"%d" % model.number * size * 60
                        model.append(stream, data)
                        store.append(stream, model.number, data, model.now)
                case "read", [str(stream), int(after)]:
                    assert list(await store.read(stream, after, model.now)) == model.read(stream, after)
                case "drop", [str(prefix)]:
                    await store.drop(prefix)
                    model.kept = [event for event in model.kept if not event[0].startswith(prefix)]
                case "wait", [int(seconds)]:
                    model.now += seconds
        for stream in "st%":
            assert list(await store.read(stream, -1, model.now)) == model.read(stream, -1)
        assert store.dropped == model.dropped
