"""A client that asks one thing at a time and looks at the answers closely: readiness and correctness."""

import http.client
import time
from collections.abc import Callable
from typing import Any, Self

import msgspec

from benchmarks import messages


class Probe:
    """A handshake session on a connection of its own; a context manager.

    Raises:
        OSError: nobody listens, or the server hangs up.
        RuntimeError: an answer that is not the result of the request.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = dict(messages.HANDSHAKE_HEADERS)

    def __enter__(self) -> Self:
        response, _ = self._post(messages.initialize_body())
        session = response.getheader("mcp-session-id")
        if session:
            self._headers["mcp-session-id"] = session
        self._post(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def tools(self) -> list[str]:
        """The names of all tools that are listed."""
        return [tool["name"] for tool in self._result(messages.body("tools/list"))["tools"]]

    def check_echo(self, tool: str) -> None:
        """Call the tool and raise a RuntimeError unless it returns the text that it was given."""
        content = self._result(messages.call_body(tool))["content"]
        if content != [{"type": "text", "text": messages.TEXT}]:
            raise RuntimeError(f"{tool} returned {content} and not its text")

    def _result(self, data: bytes) -> dict[str, Any]:
        _, answer = self._post(data)
        message = msgspec.json.decode(answer)
        if message.get("id") != messages.NUMBER or "result" not in message:
            raise RuntimeError(f"{data!r} was answered with {answer[:500]!r}")
        result: dict[str, Any] = message["result"]
        return result

    def _post(self, data: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        self._connection.request("POST", "/mcp", data, {**headers, **self._headers})
        response = self._connection.getresponse()
        answer = response.read()
        if "event-stream" in (response.getheader("content-type") or ""):
            answer = [
                line[5:] for line in answer.splitlines() if line.startswith(b"data:") and line[5:].strip()
            ][-1]
        if response.status not in {200, 202}:
            raise RuntimeError(f"status {response.status} for {data!r}: {answer[:500]!r}")
        return response, answer


def await_tools(port: int, count: int, ended: Callable[[], object] = lambda: None) -> list[str]:
    """Poll until a server lists so many tools; returns their names.

    Raises:
        TimeoutError: it did not within 30 seconds, or before `ended` gave something else than None.
    """
    deadline = time.monotonic() + 30
    seen = "nothing answered"
    while time.monotonic() < deadline and ended() is None:
        try:
            with Probe(port) as probe:
                names = probe.tools()
        except (OSError, http.client.HTTPException) as error:
            seen = str(error)
        else:
            if len(names) == count:
                return names
            seen = f"it listed {len(names)}: {names[:12]}"
        time.sleep(0.02)
    raise TimeoutError(f"port {port} did not list {count} tools: {seen}")
