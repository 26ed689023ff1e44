"""The chain: order, memory, and what is found out later."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from onemcp.config.secrets.chain import AT_ONCE, MAX_KEPT, SILENT, Chain
from onemcp.config.secrets.environment import Environment, EnvironmentConfig
from onemcp.config.secrets.folder import Folder, FolderConfig
from onemcp.config.secrets.provider import Found, SecretError
from onemcp.config.secrets.reference import Reference, parse
from onemcp.config.secrets.secret import Secret
from onemcp.errors import Problem

pytestmark = pytest.mark.anyio


@dataclass
class Kept:
    """A provider in memory, which can be made to fail, and to wait."""

    name: str
    secrets: dict[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    recheck: float | None = None
    lease: float | None = None
    failure: SecretError | None = None
    gate: asyncio.Event | None = None
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    is_closed: bool = False

    async def get(self, path: str, field: str) -> Found | None:
        self.asked.append(path)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return Found(Secret(self.secrets[path]), lease=self.lease) if path in self.secrets else None
        finally:
            self.at_once -= 1

    async def aclose(self) -> None:
        self.is_closed = True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chain(*providers: Kept, clock: Callable[[], float] = lambda: 0.0, cache: float = 300) -> Chain:
    return Chain({one.name: one for one in providers}, [one.name for one in providers], cache, clock)


async def asked(of: Chain, body: str, *, fresh: bool = False) -> str:
    """The text, or the problem as a sentence."""
    ((_, outcome),) = (await of.resolve([parse(body)], fresh=fresh)).items()
    return str(outcome) if isinstance(outcome, Problem) else outcome.reveal()


async def test_the_first_that_has_it_wins() -> None:
    first, second = Kept("first", {"a": "1"}), Kept("second", {"a": "2", "b": "3"})
    resolver = chain(first, second)
    assert [await asked(resolver, name) for name in ("a", "b")] == ["1", "3"]
    assert second.asked == ["b"]


async def test_a_reference_with_a_provider_asks_nobody_else() -> None:
    first, second = Kept("first", {"a": "1"}), Kept("second", {"a": "2"})
    assert await asked(chain(first, second), "second:a") == "2"
    assert not first.asked


async def test_a_missing_secret_is_told_with_whom_was_asked() -> None:
    resolver = chain(Kept("env"), Kept("files"))
    assert await asked(resolver, "api-key") == (
        "${SECRET:api-key}: there is no such secret (asked: env, files);"
        " set it with 1mcp secret set api-key, or as the guide to secrets says"
    )
    assert (await asked(resolver, "files:x")).startswith(
        "${SECRET:files:x}: there is no such secret (asked: files)"
    )
    assert (
        await asked(resolver, "vualt:x")
        == "${SECRET:vualt:x}: there is no provider vualt; there are env, files"
    )


async def test_one_missing_secret_does_not_spoil_the_others() -> None:
    outcomes = await chain(Kept("p", {"a": "1"})).resolve([parse("a"), parse("b")])
    assert [isinstance(outcome, Secret) for outcome in outcomes.values()] == [True, False]


async def test_a_provider_that_fails_is_not_passed_over() -> None:
    broken = Kept("first", failure=SecretError("first is down", "start it"))
    second = Kept("second", {"a": "another"})
    assert await asked(chain(broken, second), "a") == "${SECRET:a}: first is down; start it"
    assert not second.asked


async def test_who_does_not_answer_in_time_is_told() -> None:
    slow = Kept("vault", {"a": "1"}, timeout=0.05, gate=asyncio.Event())
    assert await asked(chain(slow), "a") == (
        "${SECRET:a}: vault did not answer within 0.05 s; see whether it can be reached, or raise its timeout"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "it is empty in p"),
        ("canary\0", "it has a NUL character in p"),
        ("canary\ud800", "it has half of a surrogate pair in p"),
    ],
)
async def test_what_is_no_secret_is_refused(value: str, words: str) -> None:
    sentence = await asked(chain(Kept("p", {"a": value})), "a")
    assert words in sentence
    assert "canary" not in sentence


async def test_it_is_asked_for_once_while_it_is_good() -> None:
    clock, kept = Clock(), Kept("p", {"a": "1"})
    resolver = chain(kept, clock=clock, cache=300)
    for clock.now in (0.0, 299.0, 301.0):
        await asked(resolver, "a")
    assert len(kept.asked) == 2
    await asked(resolver, "a", fresh=True)
    assert len(kept.asked) == 3


async def test_a_missing_one_is_asked_for_every_time() -> None:
    kept = Kept("p")
    resolver = chain(kept)
    await asked(resolver, "a")
    kept.secrets["a"] = "1"
    assert await asked(resolver, "a") == "1"


async def test_many_who_ask_at_the_same_time_share_one_answer() -> None:
    kept = Kept("p", {"a": "1"}, gate=asyncio.Event())
    resolver = chain(kept)
    assert kept.gate is not None
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(asked(resolver, "a")) for _ in range(20)]
        leader_cancelled = group.create_task(asked(resolver, "a"))
        while not kept.asked:
            await asyncio.sleep(0)
        leader_cancelled.cancel()
        kept.gate.set()
    assert {task.result() for task in tasks} == {"1"}
    assert len(kept.asked) == 1


async def test_who_waits_asks_again_if_the_one_who_asked_goes_away() -> None:
    kept = Kept("p", {"a": "1"}, gate=asyncio.Event())
    resolver = chain(kept)
    assert kept.gate is not None
    first = asyncio.ensure_future(asked(resolver, "a"))
    while not kept.asked:
        await asyncio.sleep(0)
    second = asyncio.ensure_future(asked(resolver, "a"))
    await asyncio.sleep(0)
    first.cancel()
    kept.gate.set()
    async with asyncio.timeout(10):
        assert await second == "1"
    assert first.cancelled()


async def test_few_are_asked_for_at_once() -> None:
    kept = Kept("p", {str(number): "v" for number in range(100)}, gate=asyncio.Event())
    resolver = chain(kept)
    assert kept.gate is not None
    resolving = asyncio.ensure_future(resolver.resolve([Reference(name) for name in kept.secrets]))
    for _ in range(20):
        await asyncio.sleep(0)
    kept.gate.set()
    async with asyncio.timeout(10):
        assert len(await resolving) == 100
    assert kept.most == 8


async def test_what_is_remembered_is_bounded() -> None:
    resolver = chain(Kept("p"))
    await resolver.resolve([Reference(f"s{number}") for number in range(MAX_KEPT + 10)])
    assert len(resolver.known()) == MAX_KEPT


async def test_a_changed_secret_is_found_when_it_is_due() -> None:
    clock, kept = Clock(), Kept("p", {"a": "1", "b": "1"}, recheck=5)
    resolver = chain(kept, clock=clock)
    await resolver.resolve([parse("a"), parse("b")])
    kept.secrets["a"] = "2"
    assert resolver.wait() == 5
    assert await resolver.refresh() == frozenset()
    clock.now = 6
    assert await resolver.refresh() == {parse("a")}
    assert await asked(resolver, "a") == "2"
    clock.now = 12
    assert await resolver.refresh() == frozenset()


async def test_a_lease_is_renewed_before_it_ends() -> None:
    clock, kept = Clock(), Kept("p", {"a": "1"}, lease=100)
    resolver = chain(kept, clock=clock)
    await asked(resolver, "a")
    assert resolver.wait() == 80


async def test_one_that_appears_later_is_a_change() -> None:
    clock, kept = Clock(), Kept("p", recheck=5)
    resolver = chain(kept, clock=clock)
    await asked(resolver, "a")
    kept.secrets["a"] = "1"
    clock.now = 6
    assert await resolver.refresh() == {parse("a")}


async def test_a_provider_that_fails_later_leaves_what_was_known() -> None:
    clock, kept = Clock(), Kept("p", {"a": "1"})
    resolver = chain(kept, clock=clock)
    await asked(resolver, "a")
    kept.failure = SecretError("p is down", "start it")
    clock.now = 301
    assert await resolver.refresh() == frozenset()
    assert await asked(resolver, "a", fresh=True) == "1"
    told = resolver.known()[parse("a")]
    assert str(told.problem) == "${SECRET:a}: p is down; start it"
    kept.failure = None
    clock.now = 400
    assert await resolver.refresh() == frozenset()
    assert resolver.known()[parse("a")].problem is None


async def test_one_that_is_taken_away_is_no_change_but_missing_for_the_next_who_asks() -> None:
    clock, kept = Clock(), Kept("p", {"a": "1"}, recheck=5)
    resolver = chain(kept, clock=clock)
    await asked(resolver, "a")
    del kept.secrets["a"]
    clock.now = 6
    assert await resolver.refresh() == frozenset()
    assert "there is no such secret" in await asked(resolver, "a")
    kept.secrets["a"] = "1"
    clock.now = 12
    assert await resolver.refresh() == frozenset()
    kept.secrets["a"] = "2"
    clock.now = 18
    assert await resolver.refresh() == {parse("a")}


async def test_what_no_configuration_needs_any_more_is_forgotten() -> None:
    resolver = chain(Kept("p", {"a": "1", "b": "1"}))
    await resolver.resolve([parse("a"), parse("b")])
    resolver.retain([parse("b")])
    assert list(resolver.known()) == [parse("b")]


async def test_the_end_closes_every_provider() -> None:
    providers = Kept("p"), Kept("q")
    async with chain(*providers) as resolver:
        assert resolver.wait() is None
    assert all(provider.is_closed for provider in providers)


async def test_a_real_chain_finds_a_file_after_a_variable(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("file\n")
    (tmp_path / "b").chmod(0o666)
    env = Environment("env", EnvironmentConfig(), {"a": "variable"})
    files = Folder("files", FolderConfig(str(tmp_path)))
    resolver = Chain({"env": env, "files": files}, ["env", "files"])
    assert [await asked(resolver, name) for name in ("a", "b")] == ["variable", "file"]
    assert resolver.notices == (f"{tmp_path / 'b'} can be written by everybody; chmod 600 it",)


async def test_a_provider_that_does_not_answer_is_waited_for_once_and_not_for_each_secret() -> None:
    clock, slow = Clock(), Kept("slow", {"s1": "x"}, timeout=0.05, gate=asyncio.Event())
    chain = Chain({"slow": slow}, ["slow"], clock=clock)
    wanted = [parse(f"s{number}") for number in range(60)]
    outcomes = await chain.resolve(wanted)
    assert len(slow.asked) <= AT_ONCE
    assert all("did not answer within 0.05 s" in str(outcome) for outcome in outcomes.values())
    assert slow.gate is not None
    slow.gate.set()
    clock.now += SILENT + 1
    assert (await chain.resolve([parse("s1")], fresh=True))[parse("s1")] == Secret("x")
    await chain.aclose()
