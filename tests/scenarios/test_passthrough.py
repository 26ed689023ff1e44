"""What the gateway does not need to know passes through it token for token: raw bytes, both ways, in both eras."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import httpx2
import pytest
from tests.support.gateway import GatewayProcess
from tests.support.verbatim import Verbatim

ODD: Final = (
    '{"z":1,"a":[1.50,1E2,-0,1e400,123456789012345678901234567890],"é":"\\u00e9 é \\/ \\ud83d\\ude00 😀"}'
)
"""Tokens that a number or string type would not keep."""
TOOL: Final = (
    f'{{"x-first":{ODD},"name":"t","inputSchema":{{"type":"object","x":{ODD}}},"_meta":{{"v":{ODD}}}}}'
)
RESULT: Final = (
    f'"x-first":{ODD},"content":[{{"type":"new","x": 1}}],"structuredContent":{ODD},"_meta":{{"v":{ODD}}}'
)
META: Final = (
    '"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}'
)

CONTENT: Final = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
UPSTREAMS: Final = ("handshake-stdio", "handshake-http", "stateless-stdio", "stateless-http")
ERAS: Final = ("handshake", "stateless")


@dataclass
class Case:
    """One client of one era, and the upstream that it calls."""

    http: httpx2.Client
    url: str
    session: str
    era: str
    name: str
    upstream: Verbatim

    def post(self, method: str, params: str, request_id: str = "1") -> str:
        """Send a request as the text that it is; the text of the answer."""
        named = {"Mcp-Name": f"{self.name}_1mcp_t"} if method == "tools/call" else {}
        stateless = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method, **named}
        own = stateless if self.era == "stateless" else {"Mcp-Session-Id": self.session}
        body = f'{{"jsonrpc":"2.0","id":{request_id},"method":"{method}","params":{params}}}'
        headers = {**CONTENT, **own}
        answer = self.http.post(self.url, content=body.encode(), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def meta(self, more: str = "") -> str:
        """The `_meta` member of this era with more in it."""
        members = [part for part in (META if self.era == "stateless" else "", more) if part]
        return f'"_meta":{{{",".join(members)}}}'

    def call(self, arguments: str, *, more: str = "", meta: str = "", request_id: str = "1") -> str:
        """Call the tool; the text of the answer."""
        params = f'{{{more}"name":"{self.name}_1mcp_t","arguments":{arguments},{self.meta(meta)}}}'
        return self.post("tools/call", params, request_id)

    def last(self) -> str:
        """The last call that came to the upstream."""
        return self.upstream.received[-1].decode()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[GatewayProcess, httpx2.Client, str, dict[str, Verbatim]]]:
    """A gateway in front of one server of each kind, an HTTP client and the id of a session."""
    folder = tmp_path_factory.mktemp("passthrough")
    with ExitStack() as stack:
        upstreams = {}
        for name in UPSTREAMS:
            era, transport = name.split("-")
            server = Verbatim(folder / name, era, transport, tool=TOOL.encode(), result=RESULT.encode())
            upstreams[name] = stack.enter_context(server)
        entries = {name: server.entry for name, server in upstreams.items()}
        gateway = stack.enter_context(GatewayProcess({"mcpServers": entries}, folder=folder))
        gateway.wait_settled()
        http = stack.enter_context(httpx2.Client(timeout=20))
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        yield gateway, http, http.post(gateway.url, json=message).headers["mcp-session-id"], upstreams


@pytest.fixture(params=UPSTREAMS, ids=[f"to {name}" for name in UPSTREAMS])
def upstream(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=ERAS, ids=[f"from {era}" for era in ERAS])
def case(
    running: tuple[GatewayProcess, httpx2.Client, str, dict[str, Verbatim]],
    upstream: str,
    request: pytest.FixtureRequest,
) -> Case:
    gateway, http, session, upstreams = running
    return Case(http, gateway.url, session, request.param, upstream, upstreams[upstream])


def test_a_tool_is_listed_as_it_is_but_for_its_name(case: Case) -> None:
    listed = case.post("tools/list", f"{{{case.meta()}}}")
    assert TOOL.replace('"t"', f'"{case.name}_1mcp_t"') in listed


def test_arguments_and_unknown_params_arrive_as_they_were_sent(case: Case) -> None:
    case.call(ODD, more=f'"x-param": {ODD} ,', meta=f'"vendor/x":{ODD}')
    came = case.last()
    for part in (f'"arguments":{ODD}', f'"x-param":{ODD}', f'"vendor/x":{ODD}'):
        assert part in came
    assert json.loads(came)["params"]["name"] == "t"


def test_a_result_comes_back_as_it_was_answered(case: Case) -> None:
    assert RESULT in case.call("{}")


@pytest.mark.parametrize("request_id", ["1", '"1"', "0", "-7", "9007199254740993", '"\\u00e9\\n"', '""'])
def test_an_answer_has_the_id_of_its_request(case: Case, request_id: str) -> None:
    assert case.call("{}", request_id=request_id).startswith(f'{{"jsonrpc":"2.0","id":{request_id},')


def test_a_request_inside_an_argument_is_no_message(case: Case) -> None:
    before = len(case.upstream.received)
    inner = '{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{"name":"t","arguments":{}}}'
    for end in ("\n", "\r\n", "\r"):
        case.call(f'{{{end}"a":{end}{inner}{end}, "b": [{end}{inner}{end}]{end}}}')
    came = [json.loads(line) for line in case.upstream.received[before:]]
    assert len(came) == 3
    for message in came:
        assert message["params"]["arguments"] == {"a": json.loads(inner), "b": [json.loads(inner)]}


def test_an_argument_of_a_mebibyte_arrives_whole(case: Case) -> None:
    text = "é" * (1 << 19)
    case.call(f'{{"text":"{text}"}}')
    assert json.loads(case.last())["params"]["arguments"]["text"] == text


def test_of_two_names_the_one_that_was_decided_on_is_sent(case: Case) -> None:
    case.call("{}", more='"name":"somebody_1mcp_else",')
    came = case.last()
    assert came.count('"name":"t"') == 1
    assert "somebody" not in came
