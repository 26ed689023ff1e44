"""What only the store in memory does: it refuses what it has no room for."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.errors import StoreError
from onemcp.store.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def test_a_full_store_refuses_new_entries_and_keeps_those_it_has() -> None:
    store = MemoryStore(max_entries=3)
    for key in "abc":
        await store.put(key, key.encode(), 100.0, 1.0)
    with pytest.raises(StoreError, match="full: 3 entries of 6 bytes; give the gateway a --state-dir"):
        await store.put("d", b"d", 100.0, 1.0)
    assert [key for key, _ in await store.scan("", 1.0)] == ["a", "b", "c"]
    await store.put("b", b"again", 100.0, 1.0)
    await store.delete("a", 1.0)
    await store.put("d", b"d", 100.0, 1.0)
    assert [key for key, _ in await store.scan("", 1.0)] == ["b", "c", "d"]


async def test_what_has_expired_makes_room() -> None:
    store = MemoryStore(max_entries=50)
    for number in range(50):
        await store.put(f"{number}", b"", 10.0 + number, 1.0)
    await store.put("new", b"", 100.0, 10.0)
    with pytest.raises(StoreError):
        await store.put("newer", b"", 100.0, 10.0)


async def test_the_bytes_of_all_entries_are_bounded() -> None:
    store = MemoryStore(max_bytes=100)
    await store.put("a", b"x" * 60, 100.0, 1.0)
    with pytest.raises(StoreError):
        await store.put("b", b"x" * 60, 100.0, 1.0)
    await store.put("a", b"x" * 99, 100.0, 1.0)
    with pytest.raises(StoreError):
        await store.put("a", b"x" * 100, 100.0, 1.0)
    await store.take("a", 1.0)
    await store.put("b", b"x" * 60, 100.0, 1.0)


@given(lifetimes=st.lists(st.integers(1, 50), min_size=200, max_size=400))
async def test_writing_over_and_over_does_not_grow(lifetimes: list[int]) -> None:
    store = MemoryStore()
    for now, lifetime in enumerate(lifetimes):
        await store.put(f"{lifetime % 7}", b"x", now + 1000.0 * lifetime, float(now))
    assert repr(store).startswith(f"<MemoryStore {len({lifetime % 7 for lifetime in lifetimes})} entries")
    assert len(store._expiries) <= 2 * 7 + 65


def test_the_store_in_memory_needs_no_sqlite() -> None:
    code = "import sys, onemcp.store.memory; print('sqlite3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "False"
