"""The tools that the suite calls, by the names that it calls them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ContentBlock, TextContent
from pydantic import TypeAdapter
from tests.conformance.changes import Changes
from tests.conformance.content import AUDIO, IMAGE, Content, embedded, text
from tests.conformance.conversation import Conversation, Question, elicit, form, roots, sample
from tests.conformance.schemas import DEFAULTS, ENUMS, JSON_SCHEMA

PAUSE: Final = 0.05
"""What the suite asks for between two notifications, in seconds."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, and what it may use."""

    talk: Conversation
    arguments: Mapping[str, Any]
    changes: Changes


Result = Awaitable[tuple[Content, ...]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; without properties it takes no arguments."""

    name: str
    run: Callable[[Call], Result]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})

    @property
    def entry(self) -> dict[str, Any]:
        """How it is listed."""
        words = self.name.removeprefix("test_").replace("_", " ")
        return {"name": self.name, "description": f"Tests: {words}", "inputSchema": self.schema}


def schema(*names: str, **extra: Any) -> Mapping[str, Any]:
    """An input schema of required strings."""
    properties = {name: {"type": "string", **extra} for name in names}
    return {"type": "object", "properties": properties, "required": list(names)}


def always(*content: Content) -> Callable[[Call], Result]:
    """A tool that always says the same."""

    async def run(call: Call) -> tuple[Content, ...]:
        return content

    return run


async def _error(call: Call) -> tuple[Content, ...]:
    raise ToolError("This tool intentionally returns an error for testing")


class ToolError(Exception):
    """The tool says that it has failed, in its result."""


async def _log(call: Call) -> tuple[Content, ...]:
    ctx = call.talk.ctx
    for n, words in enumerate(("Tool execution started", "Tool processing data", "Tool execution completed")):
        await anyio.sleep(PAUSE if n else 0)
        await ctx.session.send_log_message("info", words, related_request_id=ctx.request_id)
    return (text("logged three times"),)


async def _progress(call: Call) -> tuple[Content, ...]:
    for done in (0, 50, 100):
        await anyio.sleep(PAUSE if done else 0)
        await call.talk.ctx.session.report_progress(done, 100, f"{done} of 100")
    return (text("progressed to its end"),)


async def _sampling(call: Call) -> tuple[Content, ...]:
    answer = await _asked(call, sample(call.arguments["prompt"]))
    return (text(f"LLM response: {answer['content']['text']}"),)


async def _asked(call: Call, question: Question) -> Any:
    if not call.talk.can(question):
        raise ToolError(f"the client cannot answer {question.method}")
    return (await call.talk.ask(answer=question))["answer"]


def asking(make: Callable[[Mapping[str, Any]], Question]) -> Callable[[Call], Result]:
    """A tool that fills in one form and says how that ended."""

    async def run(call: Call) -> tuple[Content, ...]:
        answer = await _asked(call, make(call.arguments))
        words = f"action={answer['action']}, content={json.dumps(answer.get('content', {}))}"
        return (text(f"Elicitation completed: {words}"),)

    return run


async def _reconnection(call: Call) -> tuple[Content, ...]:
    close = call.talk.ctx.close_sse_stream
    await anyio.sleep(PAUSE)  # The SDK drops a priming event that it has not written yet.
    if close is not None:
        await close()
    await anyio.sleep(2 * PAUSE)
    return (text("ended after its stream had been closed"),)


async def _missing_capability(call: Call) -> tuple[Content, ...]:
    await call.talk.ask(sampled=sample("Is anybody there?"))
    return (text("the client can sample"),)


async def _streaming_elicitation(call: Call) -> tuple[Content, ...]:
    await call.talk.ctx.session.report_progress(1, 2)
    return await required(confirm=elicit("Go on?", "ok", kind="boolean"))(call)


async def _tools_changed(call: Call) -> tuple[Content, ...]:
    await call.changes.tools_changed(call.talk.ctx)
    return (text("the tools have changed"),)


async def _prompts_changed(call: Call) -> tuple[Content, ...]:
    await call.changes.prompts_changed(call.talk.ctx)
    return (text("the prompts have changed"),)


async def _header(call: Call) -> tuple[Content, ...]:
    return (text(f"the region is {call.arguments.get('region')}"),)


def required(**questions: Question) -> Callable[[Call], Result]:
    """A tool that asks all of these in one round and repeats the answers."""

    async def run(call: Call) -> tuple[Content, ...]:
        answers = await call.talk.ask(**questions)
        return (text(f"state-ok, answered: {json.dumps(answers)}"),)

    return run


async def _multi_round(call: Call) -> tuple[Content, ...]:
    first = await call.talk.ask(step1=elicit("Step 1: what is your name?", "name"))
    second = await call.talk.ask(step2=elicit("Step 2: what is your favourite colour?", "color"))
    return (text(json.dumps([first, second])),)


async def _capabilities(call: Call) -> tuple[Content, ...]:
    questions: dict[str, Question] = {
        "sampled": sample("What is a capability?"),
        "confirmed": elicit("Go on?", "reason"),
    }
    able = {key: question for key, question in questions.items() if call.talk.can(question)}
    if call.talk.stateless:
        return await required(**able)(call)
    answers: dict[str, Any] = {}
    for key, question in able.items():
        try:
            answers |= await call.talk.ask(**{key: question})
        except MCPError as refusal:
            answers[key] = f"refused: {refusal.code}"
    return (text(json.dumps(answers)),)


NAME: Final = elicit("What is your name?", "name")
OK: Final = elicit("Please confirm", "ok", kind="boolean")
REQUIRED: Final = "test_input_required_result_"
TOOLS: Final = (
    Tool("test_simple_text", always(text("This is a simple text response for testing."))),
    Tool("test_image_content", always(IMAGE)),
    Tool("test_audio_content", always(AUDIO)),
    Tool("test_embedded_resource", always(embedded("test://embedded-resource", "text/plain", "Embedded."))),
    Tool(
        "test_multiple_content_types",
        always(
            text("Multiple content types test:"),
            IMAGE,
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    ),
    Tool("test_tool_with_logging", _log),
    Tool("test_logging_tool", _log),
    Tool("test_error_handling", _error),
    Tool("test_tool_with_progress", _progress),
    Tool("test_sampling", _sampling, schema("prompt")),
    Tool(
        "test_elicitation",
        asking(lambda arguments: elicit(arguments["message"], "username", "email")),
        schema("message"),
    ),
    Tool("test_elicitation_sep1034_defaults", asking(lambda _: form("Please fill in", DEFAULTS))),
    Tool("test_elicitation_sep1330_enums", asking(lambda _: form("Please choose", ENUMS))),
    Tool("json_schema_2020_12_tool", always(text("schema kept")), JSON_SCHEMA),
    Tool("test_reconnection", _reconnection),
    Tool("test_missing_capability", _missing_capability),
    Tool("test_streaming_elicitation", _streaming_elicitation),
    Tool("test_trigger_tool_change", _tools_changed),
    Tool("test_trigger_prompt_change", _prompts_changed),
    Tool("test_x_mcp_header", _header, schema("region", **{"x-mcp-header": "Region"})),
    Tool(f"{REQUIRED}elicitation", required(user_name=NAME)),
    Tool(f"{REQUIRED}sampling", required(capital_question=sample("What is the capital of France?"))),
    Tool(f"{REQUIRED}list_roots", required(client_roots=roots())),
    Tool(f"{REQUIRED}request_state", required(confirm=OK)),
    Tool(
        f"{REQUIRED}multiple_inputs",
        required(user_name=NAME, greeting=sample("Say hello"), client_roots=roots()),
    ),
    Tool(f"{REQUIRED}multi_round", _multi_round),
    Tool(f"{REQUIRED}tampered_state", required(confirm=OK)),
    Tool(f"{REQUIRED}capabilities", _capabilities),
)
BY_NAME: Final = {tool.name: tool for tool in TOOLS}
_BLOCKS: Final[TypeAdapter[list[ContentBlock]]] = TypeAdapter(list[ContentBlock])


async def call_tool(name: str, call: Call) -> CallToolResult:
    """The result of one call.

    Raises:
        InputRequired: it ends with questions.
        MCPError: there is no such tool, or the client refused a question.
    """
    try:
        content = await BY_NAME[name].run(call)
    except ToolError as failed:
        return CallToolResult(content=[TextContent(text=str(failed))], is_error=True)
    return CallToolResult(content=_BLOCKS.validate_python(content))
