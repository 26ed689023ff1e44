"""What only a store in a file has: it is there afterwards, whatever happened, or says what is wrong."""

import asyncio
import json
import logging
import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.store.child import NUMBERS, ROOMY, is_whole
from tests.support.machine import ROOT

from onemcp.errors import StartError, StoreError
from onemcp.store.base import Bounds, Entry, Event
from onemcp.store.sqlite import SqliteStore
from onemcp.store.writer import Writer

pytestmark = pytest.mark.anyio

LIMIT = 30.0
NEVER = 1e12


@contextmanager
def child(verb: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process of `tests.store.child`, killed when the block is left, or after `LIMIT` s."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.child", verb, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    with process:
        try:
            yield process
        finally:
            limit.cancel()
            process.kill()


def output_of(verb: str, *arguments: object) -> str:
    """What a process says that ends by itself."""
    with child(verb, *arguments) as process:
        return process.communicate(timeout=LIMIT)[0].decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def refused(path: Path) -> str:
    """What is said of a file that cannot be used."""
    with pytest.raises(StartError) as caught:
        async with SqliteStore.open(path):
            pass
    return str(caught.value)


async def test_a_reopened_store_has_what_was_written(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        version = await store.put("a", b"1", NEVER, 1.0)
        await store.put("b", b"2", NEVER, 1.0)
        store.append("s", 1, b"one", 1.0)
        store.append("s", 2, b"two", 1.0)
        await store.delete("b", 1.0)
    async with SqliteStore.open(path) as store:
        assert await store.scan("", 1.0) == [("a", Entry(b"1", version))]
        assert await store.read("s", 0, 1.0) == [Event(1, b"one"), Event(2, b"two")]
        store.append("s", 2, b"again", 1.0)
        store.append("s", 3, b"three", 1.0)
        assert await store.read("s", 1, 1.0) == [Event(2, b"two"), Event(3, b"three")]


async def test_versions_rise_over_a_reopening_also_after_the_last_entry_was_deleted(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        first = await store.put("a", b"1", NEVER, 1.0)
        await store.delete("a", 1.0)
    async with SqliteStore.open(path) as store:
        assert await store.put("a", b"1", NEVER, 1.0) > first


async def test_a_store_reopened_with_smaller_bounds_keeps_to_them(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        for number in range(100):
            store.append("s", number, b"", 1.0)
    async with SqliteStore.open(path, Bounds(events=2)) as store:
        assert await store.read("s", -1, 1.0) == [Event(98, b""), Event(99, b"")]
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM events").fetchone() == (2,)


async def test_what_no_longer_counts_leaves_the_file(path: Path) -> None:
    async with SqliteStore.open(path, Bounds(age=10.0)) as store:
        for number in range(50):
            await store.put(f"a/{number}", b"x", 20.0, 1.0)
            store.append("old", number, b"x", 1.0)
        for number in range(50):
            await store.put("b", b"x", 100.0, 30.0)
            store.append("new", number, b"x", 30.0)
        store.append("gone", 1, b"x", 30.0)
        await store.drop("gone")
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT key FROM entries").fetchall() == [("b",)]
        assert raw.execute("SELECT DISTINCT stream FROM events").fetchall() == [("new",)]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(path: Path) -> dict[str, int]:
    """The files beside this one, and it, with what is allowed to whom."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def share(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("mask", [0o000, 0o022])
async def test_only_the_owner_may_read_the_file_and_what_belongs_to_it(path: Path, mask: int) -> None:
    with umask(mask):
        async with SqliteStore.open(path) as store:
            await store.put("a", b"1", NEVER, 1.0)
            assert modes(path) == {"store.db": 0o600, "store.db-wal": 0o600}
    assert modes(path) == {"store.db": 0o600}
    share(path)
    async with SqliteStore.open(path):
        assert modes(path)["store.db"] == 0o600


async def test_everything_that_was_asked_is_written_before_it_closes(path: Path) -> None:
    async with SqliteStore.open(path, ROOMY) as store:
        for number in range(5000):
            store.append("s", number, b"x" * 100, 1.0)
    async with SqliteStore.open(path, ROOMY) as store:
        assert len(await store.read("s", -1, 1.0)) == 5000
        assert store.dropped == 0


async def test_more_than_the_queue_holds_is_dropped_and_counted(path: Path) -> None:
    async with SqliteStore.open(path, ROOMY) as store:
        for number in range(60):
            store.append("s", number, b"x" * (1 << 20), 1.0)
        with pytest.raises(StoreError, match="events were not kept"):
            await store.flush()
        kept = len(await store.read("s", -1, 1.0))
        assert 16 <= kept < 60
        assert store.dropped == 60 - kept
        store.append("s", 60, b"x", 1.0)
        await store.flush()


async def test_a_closed_store_refuses(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        pass
    with pytest.raises(StoreError, match=r"store\.db: the store is closed"):
        await store.get("a", 1.0)
    store.append("s", 1, b"x", 1.0)
    assert store.dropped == 1


async def test_a_cancelled_taker_that_was_not_served_leaves_the_entry(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        version = await store.put("a", b"1", NEVER, 1.0)
        gate = threading.Event()
        holding = asyncio.ensure_future(store._writer.ask(lambda _: gate.wait(LIMIT)))
        taker = asyncio.ensure_future(store.take("a", 1.0))
        await asyncio.sleep(0)
        taker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taker
        gate.set()
        assert await holding
        assert await store.get("a", 1.0) == Entry(b"1", version)


async def test_an_opening_that_is_cancelled_lets_go_of_the_file(path: Path) -> None:
    writer = Writer(path, Bounds(), 1 << 20)
    opening = asyncio.ensure_future(writer.__aenter__())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    writer._thread.join(LIMIT)
    async with SqliteStore.open(path) as store:
        await store.put("a", b"1", NEVER, 1.0)


async def test_two_processes_do_not_share_a_file(path: Path) -> None:
    with child("hold", path) as process:
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        said = await refused(path)
        assert said == (
            f"{path}: the store cannot be opened: database is locked;"
            " stop the other process that uses it, or choose another --state-dir"
        )
        process.communicate(timeout=LIMIT)
    async with SqliteStore.open(path) as store:
        entry = await store.get("a", 1.0)
        assert entry
        assert entry.value == b"1"


async def test_neither_does_one_process_open_it_twice_and_the_first_stays_locked(path: Path) -> None:
    async with SqliteStore.open(path) as store:
        await store.put("a", b"1", NEVER, 1.0)
        assert "database is locked" in await refused(path)
        assert "database is locked" in output_of("hold", path)
        await store.put("a", b"2", NEVER, 1.0)


# Killed


@dataclass
class Acknowledged:
    """What a process said before it was killed."""

    kept: dict[str, tuple[int, str]] = field(default_factory=dict)
    moved: int = 0
    taken: list[str] = field(default_factory=list)
    logged: dict[int, int] = field(default_factory=dict)

    def hear(self, turn: int, line: str) -> None:
        match line.split():
            case ["kept", key, version, digest]:
                self.kept[key] = (int(version), digest)
            case ["moved", _, version]:
                self.moved = int(version)
            case ["taken", key]:
                self.taken.append(key)
            case ["logged", number]:
                self.logged[turn] = int(number)
            case _:
                pytest.fail(f"not a line of ours: {line!r}")

    async def check(self, store: SqliteStore) -> None:
        """All of it is there, and nothing is torn."""
        found = dict(await store.scan("", 1.0, 1_000_000))
        assert all(is_whole(entry.value) for entry in found.values())
        for key, (version, digest) in self.kept.items():
            assert (found[key].version, found[key].value[:32].hex()) == (version, digest)
        assert not self.moved or found["moved"].version >= self.moved
        assert not found.keys() & set(self.taken)
        events = await store.read("log", 0, 1.0)
        assert all(is_whole(event.data) for event in events)
        numbers = {event.number for event in events}
        for turn, last in self.logged.items():
            assert numbers.issuperset(range(turn * NUMBERS + 1, last + 1))


def run_and_kill(path: Path, turn: int, acknowledged: Acknowledged) -> None:
    """Let a process write, and kill it after some of its lines: it is in the middle of the next ones."""
    with child("write", path, turn) as process:
        assert process.stdout
        for _ in range(random.randrange(1, 300)):
            acknowledged.hear(turn, process.stdout.readline().decode())
        process.kill()
        for line in process.stdout:
            acknowledged.hear(turn, line.decode())


async def test_what_was_acknowledged_survives_a_kill_at_any_moment(path: Path) -> None:
    acknowledged = Acknowledged()
    for turn in range(12):
        run_and_kill(path, turn, acknowledged)
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        async with SqliteStore.open(path, ROOMY) as store:
            await acknowledged.check(store)
    assert acknowledged.kept
    assert acknowledged.taken
    assert acknowledged.logged


async def test_a_kill_while_the_file_is_made_leaves_one_that_opens(tmp_path: Path) -> None:
    for turn in range(3):
        path = tmp_path / f"{turn}.db"
        with child("hold", path) as process:
            while not path.exists():
                assert process.poll() is None
                await asyncio.sleep(0.001)
            process.kill()
            process.communicate(timeout=LIMIT)
        async with SqliteStore.open(path) as store:
            await store.put("b", b"2", NEVER, 1.0)


# Unusable files


def told_of(path: Path) -> str:
    return asyncio.run(refused(path))


async def fill(path: Path, entries: int) -> None:
    async with SqliteStore.open(path) as store:
        for number in range(entries):
            await store.put(f"a/{number}", random.randbytes(2000), NEVER, 1.0)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    said = told_of(tmp_path / "none" / "store.db")
    assert said.endswith(
        "store.db: the store cannot be opened: No such file or directory; choose another --state-dir"
    )


def test_a_file_that_is_a_folder(path: Path) -> None:
    path.mkdir(mode=0o755)
    assert "this is not a file" in told_of(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_folder_that_nobody_may_write() -> None:
    with tempfile.TemporaryDirectory(prefix="onemcp-") as folder:
        Path(folder).chmod(0o555)
        said = output_of("unprivileged", f"{folder}/store.db")
    assert (
        said
        == f"{folder}/store.db: the store cannot be opened: Permission denied; choose another --state-dir\n"
    )


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look at: " * 100)
    said = told_of(path)
    assert "file is not a database; move it away" in said
    assert path.read_bytes().startswith(b"not a database")


def test_a_file_with_damaged_pages(path: Path) -> None:
    asyncio.run(fill(path, 200))
    content = bytearray(path.read_bytes())
    for start in range(3 * 4096, len(content), 4096):
        content[start : start + 200] = random.randbytes(200)
    path.write_bytes(content)
    said = told_of(path)
    assert "damaged" in said
    assert "move it away" in said


def test_a_file_of_a_newer_version(path: Path) -> None:
    asyncio.run(fill(path, 1))
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    said = told_of(path)
    assert (
        "written by a newer onemcp (version 99 of the tables, we know 1); use that one, or move it away"
        in said
    )


def test_a_database_of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "this is a database of another program; move it away" in told_of(path)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


# Failures while it runs


async def put_many(store: SqliteStore, written: dict[str, int]) -> None:
    for number in range(1000):
        written[f"a/{number}"] = await store.put(f"a/{number}", b"x" * 10_000, NEVER, 1.0)


async def test_a_full_file_refuses_to_write_and_recovers_when_something_is_deleted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with SqliteStore.open(path, ROOMY, max_bytes=500_000) as store:
        written: dict[str, int] = {}
        with pytest.raises(StoreError, match="database or disk is full; free space"):
            await put_many(store, written)
        found = await store.scan("", 1.0)
        assert {key: entry.version for key, entry in found} == written
        with caplog.at_level(logging.WARNING, "onemcp.store"):
            for number in range(100):
                store.append("s", number, b"x" * 10_000, 1.0)
                if number % 20 == 0:
                    await store.get("a/0", 1.0)
            with pytest.raises(StoreError):
                await store.flush()
        assert store.dropped > 50
        assert len([record for record in caplog.records if "events are not kept" in record.message]) == 1
        for number in range(10):
            assert await store.delete(f"a/{number}", 1.0)
        await store.put("b", b"x" * 10_000, NEVER, 1.0)
        store.append("s", 200, b"last", 1.0)
        await store.flush()
        assert (await store.read("s", 199, 1.0)) == [Event(200, b"last")]


async def test_one_that_cannot_be_done_does_not_spoil_the_others_of_its_batch(path: Path) -> None:
    async with SqliteStore.open(path, max_bytes=500_000) as store:
        await store.put("a", b"1", NEVER, 1.0)
        done = await asyncio.gather(
            store.put("small", b"2", NEVER, 1.0),
            store.put("large", b"x" * 1_000_000, NEVER, 1.0),
            store.take("a", 1.0),
            store.put("small too", b"3", NEVER, 1.0),
            return_exceptions=True,
        )
        assert isinstance(done[1], StoreError)
        assert isinstance(done[2], Entry)
        assert [key for key, _ in await store.scan("", 1.0)] == ["small", "small too"]


async def test_a_disk_that_is_full_for_a_while_costs_what_was_refused_then_and_nothing_else(
    path: Path,
) -> None:
    report = json.loads(await asyncio.to_thread(output_of, "cramped", path))
    assert f"{path}: the store failed: " in report["put"]
    assert "disk" in report["put"]
    assert "not kept" in report["flush"]
    assert report["read"] is True
    assert (report["put again"], report["flush again"]) == ("", "")
    assert report["dropped again"] == report["dropped"] > 0
    async with SqliteStore.open(path, ROOMY) as store:
        found = await store.scan("", 1.0, 10_000)
        assert sorted(key for key, _ in found) == sorted(report["written"])
        events = [event.number for event in await store.read("s", 0, 1.0)]
        assert events == report["events"]
        assert len(events) == 60 - report["dropped"]
