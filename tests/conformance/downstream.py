"""A small client of one endpoint of a gateway, blocking, in either era; it shows each message as it came.

The answers of the gateway are read as it writes them: JSON, or an event stream with one message to a line.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from tests.conformance.expected import HANDSHAKE, STATELESS

LIMIT: Final = 20.0
"""How long any single wait may take, in seconds."""

Message = dict[str, Any]
Answering = Callable[[Message], Message]

_INFO: Final = {"name": "conformance-adapter", "version": "1.0.0"}
_CAPABILITIES: Final[Message] = {"elicitation": {"form": {}}}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientInfo": _INFO,
    "io.modelcontextprotocol/clientCapabilities": _CAPABILITIES,
}
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class RefusedError(AssertionError):
    """A request was answered with an error."""


class Downstream:
    """One client; of the handshake era it is initialized from the beginning.

    `answer` gets the params of an elicitation that comes while an answer is waited for, and gives its result.
    """

    def __init__(self, address: str, revision: str, answer: Answering | None = None) -> None:
        parts = urlsplit(address)
        self._place: Final = parts.netloc
        self._path: Final = parts.path
        self._revision: Final = revision
        self._answer: Final = answer
        self._ids: Final = count(1)
        self._session: dict[str, str] = {}
        if revision == HANDSHAKE:
            self.ask("initialize", protocolVersion=HANDSHAKE, capabilities=_CAPABILITIES, clientInfo=_INFO)
            self._tell({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, **params: Any) -> Message:
        """The result of a request.

        Raises:
            RefusedError: it was answered with an error.
            AssertionError: it was not answered.
        """
        request_id = next(self._ids)
        if self._revision == STATELESS:
            params["_meta"] = _META
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        for message in self._post(request, self._standard(method, params)):
            if "method" in message:
                self._hear(message)
            elif "result" in message and message["id"] == request_id:
                return dict(message["result"])
            else:
                raise RefusedError(message)
        raise AssertionError(f"{method} was not answered")

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None, **more: Any) -> Message:
        """The result of a tool; `more` are further params."""
        return self.ask("tools/call", name=tool, arguments=dict(arguments or {}), **more)

    def tools(self) -> dict[str, Message]:
        """The tools that are listed, by name."""
        return {tool["name"]: tool for tool in self.ask("tools/list")["tools"]}

    def _standard(self, method: str, params: Message) -> dict[str, str]:
        if self._revision == HANDSHAKE:
            return {}
        name = params.get("name") or params.get("uri")
        return {"mcp-method": method, **({"mcp-name": name} if name else {})}

    def _hear(self, message: Message) -> None:
        if "id" in message:
            assert self._answer is not None, message
            assert message["method"] == "elicitation/create", message
            answer = self._answer(message["params"])
            self._tell({"jsonrpc": "2.0", "id": message["id"], "result": answer})

    def _tell(self, message: Message) -> None:
        assert not list(self._post(message, {}))

    def _post(self, message: Message, headers: Mapping[str, str]) -> Iterator[Message]:
        """The messages that come back."""
        is_first = message.get("method") == "initialize"
        version = {} if is_first else {"mcp-protocol-version": self._revision}
        with closing(HTTPConnection(self._place, timeout=LIMIT)) as connection:
            connection.request(
                "POST", self._path, json.dumps(message), {**_HEADERS, **version, **self._session, **headers}
            )
            response = connection.getresponse()
            if is_first:
                self._session = {"mcp-session-id": response.headers["mcp-session-id"]}
            if response.headers.get_content_type() != "text/event-stream":
                body = response.read()
                yield from [json.loads(body)] if body else []
                return
            for line in response:
                if line.startswith(b"data:") and line[5:].strip():
                    yield json.loads(line[5:])
