"""A running gateway whose files are changed: calls of its servers, and how often it reloaded, by its log and /metrics.

live = Live(gateway)
with live.reloads(1):
    live.write("mcp.json", {...})
assert live.pid("alpha") == before
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.metrics import scrape
from tests.support.scripted import command
from tests.support.talk import CONTENT, META, rpc

LOOKS: Final = 2.5
"""Seconds in which the files have been looked at twice: what nothing happens after was no change."""
_GOOD: Final = "the configuration was reloaded"
_BAD: Final = "the configuration was not reloaded"


def entry(*arguments: object, **more: object) -> dict[str, Any]:
    """An entry for a scripted server."""
    program, *rest = command(*arguments)
    return {"command": program, "args": rest, **more}


def eventually(
    condition: Callable[[], bool], what: Callable[[], str] | str, limit: float = WAIT_LIMIT
) -> None:
    """Return when it holds; for what nobody tells of.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(0.02)


def asked(server: str, tool: str = "echo") -> tuple[dict[str, Any], dict[str, str]]:
    """A stateless call: its message and its headers."""
    name = f"{server}_1mcp_{tool}"
    message = rpc("tools/call", name=name, arguments={}, _meta=META)
    named = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name}
    return message, {**CONTENT, **named}


def pid_of(answer: httpx2.Response) -> int:
    """The process that answered a call."""
    said = answer.json()
    assert "result" in said, said
    return int(said["result"]["structuredContent"]["pid"])


def environment_of(pid: int) -> dict[str, str]:
    """What a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


class Live:
    """One gateway, and what it did with its configuration since."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.folder = gateway.folder
        self.expected = self.told()

    def told(self) -> tuple[int, int]:
        """How many reloads were good, and how many were refused, as the log has them."""
        return self.gateway.stderr.count(_GOOD), self.gateway.stderr.count(_BAD)

    def counted(self) -> tuple[int, int]:
        """The same as it was told to all who listen."""
        scraped = scrape(self.gateway.base)
        name = "onemcp_config_reloads_total"
        return int(scraped.value(name, outcome="ok")), int(scraped.value(name, outcome="failed"))

    @contextmanager
    def reloads(self, good: int = 1, refused: int = 0) -> Iterator[None]:
        """What is done inside leads to so many reloads, and no more until the next time that somebody asks."""
        self.settled()
        yield
        self.expected = self.expected[0] + good, self.expected[1] + refused
        eventually(
            lambda: all(one >= other for one, other in zip(self.told(), self.expected, strict=True)),
            lambda: f"{self.told()}, not {self.expected}\n{self.gateway.transcript()}",
        )
        self.settled()

    def settled(self) -> None:
        """There were exactly the reloads that were expected."""
        assert self.told() == self.expected, self.gateway.transcript()
        eventually(lambda: self.counted() == self.expected, "the log and the counters differ")

    def write(self, name: str, content: object) -> Path:
        """A file beside the configuration: a document, or its text."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return path

    def put(self, content: object, name: str = "mcp.json") -> None:
        """The same in one step, as programs do that know what they do."""
        beside = self.write(f".{name.replace('/', '-')}.new", content)
        os.replace(beside, self.folder / name)  # noqa: PTH105 - the two paths read best side by side

    def pid(self, server: str) -> int:
        """The process that answers for a server now."""
        message, headers = asked(server)
        return pid_of(httpx2.post(self.gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT))

    def becomes_another(self, server: str, before: int) -> int:
        """The process that answers in the place of one, as soon as it does."""
        found = before

        def is_another() -> bool:
            nonlocal found
            found = self.pid(server)
            return found != before

        eventually(is_another, lambda: f"{server} stays\n{self.gateway.transcript()}")
        return found

    def health(self) -> dict[str, Any]:
        """The page, all of it if the level is full."""
        page: dict[str, Any] = httpx2.get(f"{self.gateway.base}/health", timeout=WAIT_LIMIT).json()
        return page
