"""Processes that use a SQLite store for the tests: `python -m tests.store.child VERB PATH [NUMBER]`.

- `write PATH ROUND` writes until it is killed, and says on stdout what was acknowledged, one line for each.
- `hold PATH` says `open` and keeps the store open until its stdin ends; or says why it could not.
- `unprivileged PATH` gives up its rights, opens the store and says what it was told.
- `cramped PATH` writes while its files may not grow, and again when they may; says what happened as JSON.
"""

import asyncio
import hashlib
import json
import os
import random
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from onemcp.errors import StartError, StoreError
from onemcp.store.base import Bounds
from onemcp.store.sqlite import SqliteStore

NEVER: Final = 1e12
ROOMY: Final = Bounds(events=1_000_000, stream_bytes=1 << 30, total_bytes=1 << 30, age=NEVER)
NUMBERS: Final = 1_000_000
"""Between the first events of two rounds."""


def whole(payload: bytes) -> bytes:
    """A value that says of itself whether it is torn."""
    return hashlib.sha256(payload).digest() + payload


def is_whole(value: bytes) -> bool:
    return value == whole(value[32:])


def say(*words: object) -> None:
    """One line, in one piece."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def keep(store: SqliteStore, turn: int) -> None:
    """Entries that stay."""
    for number in range(NUMBERS):
        value = whole(random.randbytes(random.randrange(20_000)))
        version = await store.put(f"kept/{turn}/{number}", value, NEVER, 1.0, version=0)
        say("kept", f"kept/{turn}/{number}", version, value[:32].hex())


async def move(store: SqliteStore) -> None:
    """One entry that is replaced again and again, each time under its version."""
    entry = await store.get("moved", 1.0)
    version = entry.version if entry else 0
    while True:
        version = await store.put("moved", whole(b"%d" % version), NEVER, 1.0, version=version)
        say("moved", "moved", version)


async def take(store: SqliteStore, turn: int) -> None:
    """Entries that come and go."""
    for number in range(NUMBERS):
        await store.put(f"taken/{turn}/{number}", whole(b"x" * 500), NEVER, 1.0)
        assert await store.take(f"taken/{turn}/{number}", 1.0)
        say("taken", f"taken/{turn}/{number}")


async def log(store: SqliteStore, turn: int) -> None:
    """Events, a burst at a time."""
    number = turn * NUMBERS
    while True:
        for _ in range(random.randrange(1, 100)):
            number += 1
            store.append("log", number, whole(random.randbytes(random.randrange(2000))), 1.0)
        await store.flush()
        say("logged", number)


async def write(path: Path, turn: int) -> None:
    async with SqliteStore.open(path, ROOMY) as store, asyncio.TaskGroup() as tasks:
        tasks.create_task(keep(store, turn))
        tasks.create_task(move(store))
        tasks.create_task(take(store, turn))
        tasks.create_task(log(store, turn))


async def hold(path: Path) -> None:
    try:
        async with SqliteStore.open(path) as store:
            await store.put("a", b"1", NEVER, 1.0)
            say("open")
            await asyncio.to_thread(sys.stdin.read)
    except StartError as error:
        say(error)


async def unprivileged(path: Path) -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    try:
        async with SqliteStore.open(path):
            say("open")
    except StartError as error:
        say(error)


async def fill(store: SqliteStore, prefix: str) -> tuple[list[str], str]:
    """Write until it is refused, at most 1,000 times; the keys that were written, and the refusal."""
    written: list[str] = []
    for number in range(1000):
        try:
            await store.put(f"{prefix}/{number}", b"x" * 10_000, NEVER, 1.0)
        except StoreError as error:
            return written, str(error)
        written.append(f"{prefix}/{number}")
    return written, ""


async def refusal(store: SqliteStore, first: int) -> str:
    """Append events in several batches; what `flush` said at last, empty for nothing."""
    said = ""
    for number in range(first, first + 30):
        store.append("s", number, b"x" * 10_000, 1.0)
        try:
            await store.flush()
        except StoreError as error:
            said = str(error)
    return said


async def cramped(path: Path) -> None:
    report: dict[str, Any] = {}
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with SqliteStore.open(path, ROOMY) as store:
        await store.put("before", b"x", NEVER, 1.0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        written, report["put"] = await fill(store, "a")
        report["flush"] = await refusal(store, 1)
        report["dropped"] = store.dropped
        report["read"] = (await store.get("before", 1.0)) is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        again, report["put again"] = await fill(store, "b")
        report["flush again"] = await refusal(store, 1000)
        report["dropped again"] = store.dropped
        report["written"] = ["before", *written, *again]
        report["events"] = [event.number for event in await store.read("s", 0, 1.0)]
    say(json.dumps(report))


VERBS: Final[Mapping[str, Any]] = {
    "write": lambda path, turn: write(path, int(turn)),
    "hold": hold,
    "unprivileged": unprivileged,
    "cramped": cramped,
}

if __name__ == "__main__":
    asyncio.run(VERBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
