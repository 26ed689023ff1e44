"""The prompts that the suite gets, by the names that it gets them."""

from collections.abc import Mapping
from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult
from tests.conformance.content import IMAGE, Content, embedded, text
from tests.conformance.conversation import Conversation, elicit

ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


def entry(name: str, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """How a prompt is listed; its arguments are all required."""
    words = name.removeprefix("test_").replace("_", " ")
    listed = [{"name": argument, "description": argument, "required": True} for argument in arguments]
    return {"name": name, "description": f"Tests: {words}", "arguments": listed}


async def get_prompt(name: str, arguments: Mapping[str, str], talk: Conversation) -> GetPromptResult:
    """The messages of one prompt.

    Raises:
        InputRequired: it ends with a question.
        MCPError: there is no such prompt.
    """
    content = await _content(name, arguments, talk)
    messages = [{"role": "user", "content": block} for block in content]
    return GetPromptResult.model_validate({"messages": messages})


async def _content(name: str, arguments: Mapping[str, str], talk: Conversation) -> tuple[Content, ...]:
    match name:
        case "test_simple_prompt":
            return (text("This is a simple prompt for testing."),)
        case "test_prompt_with_arguments":
            first, second = arguments.get("arg1"), arguments.get("arg2")
            return (text(f"Prompt with arguments: arg1='{first}', arg2='{second}'"),)
        case "test_prompt_with_embedded_resource":
            resource = embedded(arguments.get("resourceUri", ""), "text/plain", "Embedded for testing.")
            return (resource, text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return (IMAGE, text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            answers = await talk.ask(user_context=elicit("What context should it use?", "context"))
            return (text(f"The context is {answers['user_context']}"),)
    raise MCPError(INVALID_PARAMS, f"there is no prompt {name}")
