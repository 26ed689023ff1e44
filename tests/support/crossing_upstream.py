"""The server of the crossing test: it plays each call as its arguments say, and writes down what it saw.

    python -S -E crossing_upstream.py ERA        on stdio; `crossing_http.py` serves the same over HTTP

The tool `cross` takes a `marker` and the `steps` to go through, each a word and a value:

    wait N          N milliseconds pass
    progress N      progress N, under the token of the call, with the marker as its message
    log LEVEL       a log message with the marker as its data, whatever level was asked for
    ask             an elicitation with the marker as its message, whose answer must have the marker
    until MARKER    that other call is over
    unread          something that has not been read yet stands on stdin (and is left there)

The tool `report` tells what came of all calls. Standard library only, and little of it, because there may be one of
these for each session.
"""

import heapq
import json
import os
import select
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

STATELESS: Final = "2026-07-28"
HANDSHAKE: Final = "2025-11-25"
LIMIT: Final = 20.0
"""Seconds for which it reads nothing, at most."""

Json = dict[str, Any]
Send = Callable[[Json | None], None]
"""Sends a message that belongs to one request; None says that no more will come."""
Later = Callable[[float, Callable[[], None]], object]
"""Calls back after so many seconds."""


class Call:
    """One call of `cross` on its way through its steps."""

    def __init__(self, server: "Server", request_id: Any, params: Json, send: Send) -> None:
        self.marker: str = params["arguments"]["marker"]
        self.is_over = False
        self._server = server
        self._id = request_id
        self._send = send
        self._steps: list[list[Any]] = params["arguments"]["steps"]
        self._token = params.get("_meta", {}).get("progressToken")
        self._responses: Json = params.get("inputResponses", {})
        self._position = self._resumed(params.get("requestState"))
        self._do: dict[str, Callable[[Any], bool]] = {
            "wait": self._wait,
            "progress": self._progress,
            "log": self._log,
            "ask": self._ask,
            "until": self._until,
            "unread": self._overlook,
        }

    def _resumed(self, state: str | None) -> int:
        """The step to begin with: that of the question which is answered now."""
        if state is None:
            return 0
        marker, _, position = state.rpartition("/")
        if marker != self.marker:
            self._server.wrong.append(f"{self.marker} came with the state of {marker}")
        return int(position)

    def go_on(self) -> None:
        """Do what can be done now."""
        while not self.is_over:
            if self._position == len(self._steps):
                text = [{"type": "text", "text": self.marker}]
                self._finish({"content": text, "structuredContent": {"marker": self.marker}}, "done")
                return
            word, value = self._steps[self._position]
            self._position += 1
            if not self._do[word](value):
                return

    def _wait(self, milliseconds: float) -> bool:
        self._server.later(milliseconds / 1000, self.go_on)
        return False

    def _progress(self, number: int) -> bool:
        params = {"progressToken": self._token, "progress": number, "message": self.marker}
        self._notify("notifications/progress", params)
        return True

    def _log(self, level: str) -> bool:
        self._notify("notifications/message", {"level": level, "data": self.marker})
        return True

    def _ask(self, _: None) -> bool:
        schema = {"type": "object", "properties": {"marker": {"type": "string"}}}
        question = {"mode": "form", "message": self.marker, "requestedSchema": schema}
        if not self._server.is_stateless:
            asked = self._server.question(self)
            self._send({"jsonrpc": "2.0", "id": asked, "method": "elicitation/create", "params": question})
        elif self._responses:
            self.take(self._responses["q"])
            self._responses = {}
            return True
        else:
            request = {"method": "elicitation/create", "params": question}
            state = f"{self.marker}/{self._position - 1}"
            result = {"resultType": "input_required", "inputRequests": {"q": request}, "requestState": state}
            self._finish(result, "asking")
        return False

    def take(self, answer: Json) -> None:
        """The client's answer to the question; it must be the one to this very question."""
        said = answer.get("content", {}).get("marker")
        if said == self.marker:
            self._server.note("answered", self)
        else:
            self._server.wrong.append(f"{self.marker} was answered by {said}")

    def refuse(self, why: str) -> None:
        """The question is not put to the client."""
        if not self.is_over:
            self._server.refused[self.marker] = why

    def _until(self, marker: str) -> bool:
        if marker in self._server.over:
            return True
        self._server.waiting.setdefault(marker, []).append(self.go_on)
        return False

    def _overlook(self, _: None) -> bool:
        sys.stdout.flush()
        select.select([0], [], [], LIMIT)
        return True

    def cancel(self) -> None:
        """Nobody waits for the result any more."""
        self._server.note("cancelled", self)
        self._end()

    def _finish(self, result: Json, how: str) -> None:
        if self._server.is_stateless:
            result.setdefault("resultType", "complete")
        self._server.note(how, self)
        self._send({"jsonrpc": "2.0", "id": self._id, "result": result})
        self._end()

    def _end(self) -> None:
        self.is_over = True
        self._send(None)
        self._server.end(self._id, self)

    def _notify(self, method: str, params: Json) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})


class Server:
    """All calls of one process, whatever carries their messages."""

    def __init__(self, era: str, later: Later) -> None:
        self.is_stateless = era == "stateless"
        self.later = later
        self.over: set[str] = set()
        self.waiting: dict[str, list[Callable[[], None]]] = {}
        self.wrong: list[str] = []
        """Whatever came that belonged to another call."""
        self.refused: dict[str, str] = {}
        self._seen: dict[str, list[str]] = {
            name: [] for name in ("begun", "asking", "answered", "cancelled", "done")
        }
        self._calls: dict[Any, Call] = {}
        self._early: set[Any] = set()
        """Cancelled requests that are over, or have not come yet."""
        self._asked: dict[int, Call] = {}
        self._numbers = count(1)

    def note(self, what: str, call: Call) -> None:
        """Remember for the report."""
        self._seen[what].append(call.marker)

    def question(self, call: Call) -> int:
        """The id of a question in the course of a call."""
        number = next(self._numbers)
        self._asked[number] = call
        return number

    def end(self, request_id: Any, call: Call) -> None:
        """A call is over; whoever waited for that goes on."""
        del self._calls[request_id]
        self.over.add(call.marker)
        for go_on in self.waiting.pop(call.marker, ()):
            go_on()

    def receive(self, message: Json, send: Send) -> None:
        """Take a message; what belongs to it goes to `send`."""
        method = message.get("method")
        if method is None:
            self._answer(message)
        elif method == "notifications/cancelled":
            self._cancel(message["params"]["requestId"])
        elif method == "tools/call" and message["params"]["name"] == "cross":
            self._begin(Call(self, message["id"], message["params"], send), message["id"])
        elif "id" in message and method != "subscriptions/listen":
            result = self._result(method)
            outcome = {"result": result} if result is not None else {"error": _UNKNOWN}
            send({"jsonrpc": "2.0", "id": message["id"], **outcome})
            send(None)

    def _begin(self, call: Call, request_id: Any) -> None:
        self.note("begun", call)
        self._calls[request_id] = call
        if request_id in self._early:
            call.cancel()
        else:
            call.go_on()

    def _cancel(self, request_id: Any) -> None:
        """Over HTTP a cancellation may overtake its request, which is on another connection."""
        call = self._calls.get(request_id)
        if call is not None:
            call.cancel()
        else:
            self._early.add(request_id)

    def _answer(self, message: Json) -> None:
        call = self._asked.pop(message["id"], None)
        if call is None:
            self.wrong.append(f"an answer to nothing: {message}")
        elif "error" in message:
            call.refuse(message["error"]["message"])
            call.go_on()
        else:
            call.take(message["result"])
            call.go_on()

    def _result(self, method: str) -> Json | None:
        """What answers anything but a call; None if the method is unknown."""
        offers: Json = {"capabilities": {"tools": {}, "logging": {}}}
        cached = {"resultType": "complete", "ttlMs": 60000, "cacheScope": "public"}
        era: Json = cached if self.is_stateless else {}
        match method:
            case "initialize" if not self.is_stateless:
                info = {"name": "crossing", "version": "1"}
                return {"protocolVersion": HANDSHAKE, "serverInfo": info, **offers}
            case "server/discover" if self.is_stateless:
                return {"supportedVersions": [STATELESS], **offers, **era}
            case "tools/list":
                schema = {"type": "object"}
                return {
                    "tools": [{"name": name, "inputSchema": schema} for name in ("cross", "report")],
                    **era,
                }
            case "tools/call":
                seen = {**self._seen, "refused": self.refused, "wrong": self.wrong}
                return {
                    "content": [],
                    "structuredContent": seen,
                    **({"resultType": "complete"} if era else {}),
                }
            case "logging/setLevel" | "ping" if not self.is_stateless:
                return {}
        return None


_UNKNOWN: Final = {"code": -32601, "message": "Method not found"}


class Clock:
    """What is to be done when. Of our own, because asyncio takes longer to import than a child needs to start."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Do this after so many seconds."""
        heapq.heappush(self._due, (time.monotonic() + delay, next(self._order), action))

    def run(self) -> float | None:
        """Do what is due; the seconds to what comes next, None for nothing."""
        while self._due:
            left = self._due[0][0] - time.monotonic()
            if left > 0:
                return left
            heapq.heappop(self._due)[2]()
        return None


def serve_stdio(era: str) -> None:
    """Answer on the standard streams until they end."""
    clock = Clock()
    server = Server(era, clock.later)
    out = sys.stdout.buffer
    rest = b""

    def send(message: Json | None) -> None:
        if message is not None:
            out.write(json.dumps(message).encode() + b"\n")

    while True:
        left = clock.run()
        out.flush()
        if not select.select([0], [], [], left)[0]:
            continue
        data = os.read(0, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            server.receive(json.loads(line), send)


if __name__ == "__main__":
    serve_stdio(sys.argv[1])
