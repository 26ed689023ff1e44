"""What a client of the crossing test heard of one call, each message judged as it comes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.crossing_plan import Plan, is_asked_for
from tests.support.crossing_upstream import Json


@dataclass(slots=True)
class Outcome:
    """Everything on the stream of a call must have that call's marker, token and id."""

    plan: Plan
    level: str
    """The log level that its client asked for."""
    progress: list[int] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    questions: int = 0
    states: list[str] = field(default_factory=list)
    """The `requestState` that came with questions of the stateless era."""
    request_id: int = 0
    """The request that is under way."""
    reply: Json = field(default_factory=dict)
    """The answer to it."""
    is_given_up: bool = False
    is_heard_of: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first message came."""
    faults: list[str] = field(default_factory=list)
    """What came and should not have."""

    def expect(self, request_id: int) -> None:
        """A request for this call is about to be sent."""
        self.request_id, self.reply = request_id, {}

    def take(self, message: Json) -> None:
        """Judge a message that came for this call."""
        self.is_heard_of.set()
        if not self._is_right(message):
            self.faults.append(f"{self.plan.marker} heard {message}")

    def _is_right(self, message: Json) -> bool:
        params: Json = message.get("params", {})
        match message.get("method"):
            case "notifications/progress":
                self.progress.append(params["progress"])
                return bool(
                    (params["progressToken"], params["message"]) == (self.plan.number, self.plan.marker)
                )
            case "notifications/message":
                self.logs.append(params["level"])
                return params["data"] == self.plan.marker and is_asked_for(params["level"], self.level)
            case "elicitation/create":
                self.questions += 1
                return bool(params["message"] == self.plan.marker)
            case None:
                return self._is_answer(message)
        return False

    def _is_answer(self, message: Json) -> bool:
        """The one answer to the request that is under way."""
        is_first, self.reply = not self.reply, message
        if message["id"] != self.request_id or not is_first:
            return False
        result = message.get("result", {})
        if result.get("resultType") == "input_required":
            self.questions += 1
            self.states.append(result["requestState"])
            asked = [request["params"]["message"] for request in result["inputRequests"].values()]
            return asked == [self.plan.marker]
        return "error" in message or result["structuredContent"]["marker"] == self.plan.marker

    def gaps(self, *, has_logs: bool) -> Iterator[str]:
        """What should have come and did not; of a call that was given up nothing more than was planned."""
        progress, logs = self.plan.progress, Counter(self.plan.logs(self.level))
        if self.is_given_up:
            progress = progress[: len(self.progress)]
        elif "structuredContent" not in self.reply.get("result", {}):
            yield f"{self.plan.marker} was answered with {self.reply}"
        if self.progress != progress:
            yield f"{self.plan.marker} heard of progress {self.progress} instead of {progress}"
        are_all_due = has_logs and not self.is_given_up
        if Counter(self.logs) != logs if are_all_due else not Counter(self.logs) <= logs:
            yield f"{self.plan.marker} heard log messages {self.logs} instead of {logs} ({self.level})"
