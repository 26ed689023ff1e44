"""The client that the conformance suite tests: a gateway in front of the suite's server, and a client that uses it.

The suite starts it for each scenario, with the address of its server as the last argument:

    python -m tests.conformance.adapter http://localhost:41233/mcp

What it does for a scenario is the least that lets the suite see how the gateway behaves; that what came back is right
is checked here too. It uses the gateway as a client of the revision that the suite tests, or of the handshake era where
the gateway shall add what a client of that era cannot say.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.conformance.downstream import Downstream, Message, RefusedError
from tests.conformance.expected import HANDSHAKE
from tests.conformance.suite import DONE
from tests.support.gateway import GatewayProcess

UPSTREAM: Final = "suite"
INVALID: Final = (
    *("empty_header", "object_header", "array_header", "null_header", "number_header", "duplicate_same_case"),
    *("duplicate_diff_case", "space_in_name", "colon_in_name", "non_ascii_name", "control_char_name"),
)
"""Which tools of the suite have annotations that the protocol forbids."""

Connect = Callable[..., Downstream]
"""A client of the upstream's endpoint, in the era that the suite tests or the one that is named."""


def initialize(connect: Connect) -> None:
    """The gateway initializes its upstream before a client is told that it is there."""
    connect()


def tools_call(connect: Connect) -> None:
    """A call with numbers in its arguments."""
    client = connect()
    assert "add_numbers" in client.tools()
    expect(client.call("add_numbers", {"a": 5, "b": 3}), "The sum of 5 and 3 is 8")


def elicitation_defaults(connect: Connect) -> None:
    """A form whose client accepts what the server proposes."""

    def accept(question: Message) -> Message:
        fields = question["requestedSchema"]["properties"]
        return {"action": "accept", "content": {name: field["default"] for name, field in fields.items()}}

    result = connect(answer=accept).call("test_client_elicitation_defaults")
    assert "John Doe" in result["content"][0]["text"], result


def sse_retry(connect: Connect) -> None:
    """A call whose stream the server closes before the answer is on it."""
    expect(connect().call("test_reconnection"), "Reconnection test completed successfully")


def schema_preservation(connect: Connect) -> None:
    """A schema, sent back as it was listed."""
    client = connect()
    schema = client.tools()["json_schema_2020_12_tool"]["inputSchema"]
    expect(client.call("json_schema_echo", {"schema": schema}), "echoed")


def schema_reference(connect: Connect) -> None:
    """A schema with a reference into the network, listed as it is."""
    schema = connect().tools()["lookup_user"]["inputSchema"]
    assert schema["properties"]["profile"]["$ref"].startswith("http://"), schema


def request_metadata(connect: Connect) -> None:
    """A server that refuses the revision at first and offers nothing: that it is there is all there is to see."""
    discovered = connect().ask("server/discover")
    assert discovered["supportedVersions"], discovered


def input_required(connect: Connect) -> None:
    """Calls that end with a question and are retried with the answer, with or without a state, and one between."""
    client = connect()
    stated = client.call("test_mrtr_echo_state")
    unstated = client.call("test_mrtr_no_state")
    assert "requestState" not in unstated, unstated
    expect(client.call("test_mrtr_unrelated"), "unrelated-ok")
    answers = {"confirm": {"action": "accept", "content": {"confirmed": True}}}
    for question in (stated, unstated):
        assert list(question["inputRequests"]) == ["confirm"], question
    state = {"requestState": stated["requestState"]}
    expect(client.call("test_mrtr_echo_state", inputResponses=answers, **state), "echo-state-ok")
    expect(client.call("test_mrtr_no_state", inputResponses=answers), "no-state-ok")
    expect(client.call("test_mrtr_no_result_type"), "no-result-type-test-ok")


def standard_headers(connect: Connect) -> None:
    """Everything that has a name, by each name that the server lists."""
    client = connect()
    for tool in client.tools():
        expect(client.call(tool), "Headers test completed")
    for resource in client.ask("resources/list")["resources"]:
        client.ask("resources/read", uri=resource["uri"])
    for prompt in client.ask("prompts/list")["prompts"]:
        client.ask("prompts/get", name=prompt["name"])


def custom_headers(connect: Connect) -> None:
    """Calls of a client whose revision knows no such headers: they are all of the gateway's making."""
    client = connect(revision=HANDSHAKE)
    for call in json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])["toolCalls"]:
        expect(client.call(call["name"], call["arguments"]), "Custom headers test completed")


def invalid_tool_headers(connect: Connect) -> None:
    """A list with tools that must not be used, whatever a client tries, and one that must."""
    client = connect(revision=HANDSHAKE)
    tools = list(client.tools())
    assert tools == ["valid_tool"], tools
    expect(client.call("valid_tool", {"region": "us-west1"}), "Tool call received")
    for what in INVALID:
        try:
            result = client.call(f"invalid_{what}", {})
        except RefusedError:
            continue
        raise AssertionError(f"invalid_{what} was called: {result}")


SCENARIOS: Final[Mapping[str, Callable[[Connect], None]]] = {
    "initialize": initialize,
    "tools_call": tools_call,
    "elicitation-sep1034-client-defaults": elicitation_defaults,
    "sse-retry": sse_retry,
    "json-schema-2020-12-preservation": schema_preservation,
    "json-schema-ref-no-deref": schema_reference,
    "request-metadata": request_metadata,
    "sep-2322-client-request-state": input_required,
    "http-standard-headers": standard_headers,
    "http-custom-headers": custom_headers,
    "http-invalid-tool-headers": invalid_tool_headers,
}


def expect(result: Message, text: str) -> None:
    """The result of a call is this text."""
    assert result.get("content") == [{"type": "text", "text": text}], result


def main() -> None:
    """Do what the scenario needs, through a gateway of its own."""
    # The suite ends a client that takes too long, and its gateway must not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("took too long"))
    scenario = SCENARIOS[os.environ["MCP_CONFORMANCE_SCENARIO"]]
    revision = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"]
    config = {"mcpServers": {UPSTREAM: {"url": sys.argv[-1]}}}
    with tempfile.TemporaryDirectory() as folder, GatewayProcess(config, folder=Path(folder)) as gateway:
        address = f"{gateway.base}/servers/{UPSTREAM}/mcp"

        def connect(*, revision: str = revision, **options: Any) -> Downstream:
            return Downstream(address, revision, **options)

        try:
            scenario(connect)
        except Exception:
            sys.stderr.write(gateway.transcript() + "\n")
            raise
    sys.stdout.write(DONE + "\n")


if __name__ == "__main__":
    main()
