"""Asking the client from within a call, the same to a tool in both eras.

A tool says `await talk.ask(name=elicit("What is your name?", "name"))`. In the handshake era the questions travel as
requests at once, all together, and the answers come back. In the stateless era the call ends with `InputRequired` if
an answer is missing; the retry runs the tool from its beginning, and answers of earlier rounds come from the sealed
`requestState`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import anyio
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponseRequestParams,
    ListRootsRequest,
    ListRootsResult,
    RequestParams,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

STATELESS: Final = "2026-07-28"
MISSING_CAPABILITY: Final = -32021

Question = ElicitRequest | CreateMessageRequest | ListRootsRequest
Context = ServerRequestContext[Any, Any]

_ANSWERS: Final[Mapping[str, type[BaseModel]]] = {
    "elicitation/create": ElicitResult,
    "sampling/createMessage": CreateMessageResult,
    "roots/list": ListRootsResult,
}
_CAPABILITIES: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}


class InputRequired(Exception):  # noqa: N818 - it is how a round ends, and no error
    """The call ends here with these questions; it is retried with the answers."""

    def __init__(self, questions: dict[str, Question], state: str) -> None:
        super().__init__(", ".join(questions))
        self.result = InputRequiredResult(input_requests=questions, request_state=state)


class Conversation:
    """What one call of a client may be asked, and what it has answered so far."""

    def __init__(self, ctx: Context, params: InputResponseRequestParams) -> None:
        self.ctx = ctx
        self.stateless = ctx.protocol_version == STATELESS
        self._answers: dict[str, Any] = {}
        if self.stateless:
            self._answers |= json.loads(params.request_state or "{}")
            for key, answer in (params.input_responses or {}).items():
                self._answers[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)

    def can(self, question: Question) -> bool:
        """Whether the client has declared what it takes to answer."""
        declared = self.ctx.session.client_capabilities
        return declared is not None and getattr(declared, _CAPABILITIES[question.method]) is not None

    async def ask(self, **questions: Question) -> Mapping[str, Any]:
        """The answers, by key, each as its result stands on the wire.

        Raises:
            InputRequired: in the stateless era, while answers are missing.
            MCPError: the client has not declared what it takes, or (in the handshake era) refused a question.
        """
        missing = {key: question for key, question in questions.items() if key not in self._answers}
        for question in missing.values():
            self._require(question)
        if missing and self.stateless:
            raise InputRequired(missing, json.dumps(self._answers))
        refusals: list[MCPError] = []
        async with anyio.create_task_group() as group:
            for key, question in missing.items():
                group.start_soon(self._request, key, question, refusals)
        if refusals:
            raise refusals[0]
        return {key: self._answers[key] for key in questions}

    def _require(self, question: Question) -> None:
        if not self.can(question):
            capability = _CAPABILITIES[question.method]
            message = f"this needs a client with the capability {capability}"
            raise MCPError(MISSING_CAPABILITY, message, {"requiredCapabilities": {capability: {}}})

    async def _request(self, key: str, question: Question, refusals: list[MCPError]) -> None:
        related = ServerMessageMetadata(related_request_id=self.ctx.request_id)
        kind = _ANSWERS[question.method]
        try:
            answer = await self.ctx.session.send_request(question, kind, metadata=related)
        except MCPError as error:
            refusals.append(error)
        else:
            self._answers[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)


def elicit(message: str, *names: str, kind: str = "string") -> ElicitRequest:
    """A form with these required fields, all of one JSON type."""
    properties = {name: {"type": kind, "description": f"The {name}"} for name in names}
    return form(message, {"type": "object", "properties": properties, "required": list(names)})


def form(message: str, schema: dict[str, Any]) -> ElicitRequest:
    """A form with a schema of its own."""
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(prompt: str) -> CreateMessageRequest:
    """A question for the client's model."""
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def roots() -> ListRootsRequest:
    """A question for the client's roots."""
    return ListRootsRequest(params=RequestParams())
