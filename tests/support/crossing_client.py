"""The clients of the crossing test, one class an era: sessions with several calls at a time.

All sessions use the same ids and progress tokens, so that only markers tell whose a message is.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from tests.support.crossing_outcome import Outcome
from tests.support.crossing_plan import Plan
from tests.support.crossing_upstream import HANDSHAKE, STATELESS, Json
from tests.support.lean_http import Link, Take

ABREAST: Final = 4
"""Calls of one session at a time."""
ROUND: Final = 1000
"""Between the ids of a call and of its continuation."""
ENTRY: Final = "cross"
"""The server's name in the configuration."""
REPORT: Final = 999
"""The id of the request for the server's report."""
_UNRELATED: Final = frozenset({"notifications/message", "elicitation/create"})
"""What names no call on stdio."""
_BOTH: Final = "application/json, text/event-stream"
_STREAM: Final = {"accept": "text/event-stream"}
_META: Final = "io.modelcontextprotocol"


class Session:
    """What both eras have in common."""

    def __init__(
        self,
        url: str,
        *,
        level: str = "",
        is_mixed: bool = False,
        takes_questions: bool = True,
        accept: str = _BOTH,
    ) -> None:
        """`is_mixed`: nothing tells its calls apart, so that any of its streams may have its questions and logs."""
        self.outcomes: dict[str, Outcome] = {}
        """By their markers."""
        self.faults: list[str] = []
        """What came outside of all calls and should not have."""
        self.level = level
        self.capabilities: Json = {"elicitation": {}} if takes_questions else {}
        self._url = url
        self.is_mixed = is_mixed
        self._content = {"content-type": "application/json", "accept": accept}
        self._idle: list[Link] = []
        self._links: list[Link] = []
        self._under_way: dict[str, Link] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def play(self, plans: Sequence[Plan]) -> None:
        """Make these calls, `ABREAST` at a time."""
        waiting = iter(plans)
        async with asyncio.TaskGroup() as group:
            for _ in range(ABREAST):
                group.create_task(self._play_in_turn(waiting))

    async def _play_in_turn(self, waiting: Iterator[Plan]) -> None:
        for plan in waiting:
            await self.call(self.begin(plan))

    def begin(self, plan: Plan) -> Outcome:
        """The place for what will be heard of a call."""
        outcome = Outcome(plan, self.level or self.default_level)
        self.outcomes[plan.marker] = outcome
        return outcome

    async def call(self, outcome: Outcome) -> None:
        """Make a call, to its end; or until it is given up, if its plan says so."""
        marker, after = outcome.plan.marker, outcome.plan.cancel_after
        async with self._link() as link:
            self._under_way[marker] = link
            timer = asyncio.get_running_loop().call_later(after, self.give_up, outcome) if after else None
            try:
                await self._converse(outcome, link)
            finally:
                del self._under_way[marker]
                if timer is not None:
                    timer.cancel()

    async def report(self) -> Json:
        """What the server says of all calls."""
        replies: list[bytes] = []
        message = self._tool_call(REPORT, "report", {}, {})
        async with self._link() as link:
            await self._post(link, message, replies.append)
        report: Json = json.loads(replies[-1])["result"]["structuredContent"]
        return report

    def all_faults(self, *, has_logs: bool) -> list[str]:
        """Everything that was wrong."""
        found = list(self.faults)
        for outcome in self.outcomes.values():
            found += outcome.faults
            found += outcome.gaps(has_logs=has_logs)
        return found

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[Link]:
        """A connection that nobody else uses meanwhile."""
        link = self._idle.pop() if self._idle else await self._connect()
        yield link
        if not link.is_dropped:
            self._idle.append(link)

    async def _connect(self) -> Link:
        link = await Link.open(self._url)
        self._links.append(link)
        return link

    async def _post(self, link: Link, message: Json, take: Take) -> int:
        headers = self._content | self._headers(message)
        return await link.ask("POST", headers, json.dumps(message).encode(), take)

    def _tool_call(self, request_id: int, tool: str, arguments: Json, meta: Json, **more: Any) -> Json:
        name = f"{ENTRY}_1mcp_{tool}"
        params = {"name": name, "arguments": arguments, "_meta": self._meta() | meta, **more}
        return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}

    def _cross(self, outcome: Outcome, request_id: int, **more: Any) -> Json:
        """The request for a call; `more` are further params."""
        outcome.expect(request_id)
        plan = outcome.plan
        arguments = {"marker": plan.marker, "steps": plan.steps}
        return self._tool_call(request_id, "cross", arguments, {"progressToken": plan.number}, **more)

    async def _close(self) -> None:
        for link in self._links:
            await link.aclose()

    # What an era has its own way of.

    async def _open(self) -> None:
        """Begin."""

    async def leave(self) -> None:
        """End, after the last message."""

    default_level = ""
    """The level of a client that asks for none."""

    def _meta(self) -> Json:
        """What `_meta` of every request has."""
        return {}

    def _headers(self, message: Json) -> dict[str, str]:
        raise NotImplementedError

    async def _converse(self, outcome: Outcome, link: Link) -> None:
        raise NotImplementedError

    def give_up(self, outcome: Outcome) -> None:
        """The client does not want the call any more."""
        raise NotImplementedError


class HandshakeSession(Session):
    """`initialize`, a log level, and a GET stream beside the calls."""

    default_level = "info"
    _token = ""

    async def _open(self) -> None:
        self._errands: asyncio.Queue[Json] = asyncio.Queue()
        self._tasks: list[asyncio.Task[Any]] = []
        await self._initialize()
        stream = await self._connect()
        listening = stream.ask("GET", _STREAM | self._headers({}), b"", self._overhear)
        self._tasks += [asyncio.create_task(listening), asyncio.create_task(self._run_errands())]

    async def _initialize(self) -> None:
        info = {"name": "crossing", "version": "1"}
        params = {"protocolVersion": HANDSHAKE, "capabilities": self.capabilities, "clientInfo": info}
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        async with self._link() as link:
            await self._post(link, hello, lambda _: None)
            self._token = link.headers[b"mcp-session-id"].decode()
            await self._post(link, initialized, self._overhear)
            if self.level:
                wanted = {"method": "logging/setLevel", "params": {"level": self.level}}
                await self._post(link, {"jsonrpc": "2.0", "id": 0, **wanted}, lambda _: None)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super()._close()

    async def leave(self) -> None:
        """End the session, and with it its stream, after the last message on it."""
        async with self._link() as link:
            await link.ask("DELETE", self._headers({}), b"", self._overhear)
        await self._tasks[0]

    async def play(self, plans: Sequence[Plan]) -> None:
        """Make these calls, `ABREAST` at a time, and have nothing left to say."""
        await super().play(plans)
        await self._errands.join()

    def _headers(self, message: Json) -> dict[str, str]:
        return {"mcp-session-id": self._token, "mcp-protocol-version": HANDSHAKE} if self._token else {}

    async def _converse(self, outcome: Outcome, link: Link) -> None:
        await self._post(link, self._cross(outcome, outcome.plan.number), partial(self._take, outcome))

    def _take(self, outcome: Outcome, data: bytes) -> None:
        message: Json = json.loads(data)
        if self.is_mixed and message.get("method") in _UNRELATED:
            outcome = self._owner(message) or outcome
        outcome.take(message)
        self._answer(message, outcome.plan.marker)

    def _answer(self, message: Json, marker: str) -> None:
        """Answer a question, if it is one, in the name of a call."""
        if message.get("method") == "elicitation/create":
            result = {"action": "accept", "content": {"marker": marker}}
            self._errands.put_nowait({"jsonrpc": "2.0", "id": message["id"], "result": result})

    def _owner(self, message: Json) -> Outcome | None:
        """The call of this session that a question or log message belongs to."""
        params = message.get("params", {})
        return self.outcomes.get(params.get("data") or params.get("message", ""))

    def _overhear(self, data: bytes) -> None:
        """A message outside of all calls: an announcement, if nothing else can come there."""
        message = json.loads(data)
        owner = self._owner(message) if self.is_mixed else None
        if owner is not None and message["method"] in _UNRELATED:
            self._take(owner, data)
        elif not message.get("method", "").endswith("/list_changed"):
            self.faults.append(f"outside of all calls: {data.decode()}")
            self._answer(message, "nobody")

    def give_up(self, outcome: Outcome) -> None:
        outcome.is_given_up = True
        params = {"requestId": outcome.plan.number}
        self._errands.put_nowait({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def _run_errands(self) -> None:
        link = await self._connect()
        while True:
            await self._post(link, await self._errands.get(), self._overhear)
            self._errands.task_done()


class StatelessSession(Session):
    """Every request says all of itself; a question is a result, and its answer comes with the next request."""

    def _meta(self) -> Json:
        level = {f"{_META}/logLevel": self.level} if self.level else {}
        own = {f"{_META}/protocolVersion": STATELESS, f"{_META}/clientCapabilities": self.capabilities}
        return own | level

    def _headers(self, message: Json) -> dict[str, str]:
        named = {"mcp-method": message["method"], "mcp-name": message["params"]["name"]}
        return {"mcp-protocol-version": STATELESS, **named}

    async def _converse(self, outcome: Outcome, link: Link) -> None:
        more: Json = {}
        for request_id in range(outcome.plan.number, ROUND * ROUND, ROUND):
            message = self._cross(outcome, request_id, **more)
            await self._post(link, message, lambda data: outcome.take(json.loads(data)))
            result = outcome.reply.get("result", {})
            if outcome.is_given_up or result.get("resultType") != "input_required":
                return
            answer = {"action": "accept", "content": {"marker": outcome.plan.marker}}
            responses = dict.fromkeys(result["inputRequests"], answer)
            more = {"inputResponses": responses, "requestState": result["requestState"]}

    def give_up(self, outcome: Outcome) -> None:
        outcome.is_given_up = True
        self._under_way[outcome.plan.marker].drop()
