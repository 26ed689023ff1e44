"""A client of either era by raw HTTP, for tests that look at statuses, headers and bytes."""

from typing import Any, Final

import httpx2

CONTENT: Final = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def rpc(method: str, request_id: int = 1, **params: Any) -> dict[str, Any]:
    """A request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


HELLO: Final = rpc("initialize", protocolVersion="2025-11-25", capabilities={})


class Talk:
    """One client of an endpoint."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self.url = url
        self.http = http
        self.session: dict[str, str] = {}
        """The header that names the session, once there is one."""

    async def post(self, message: dict[str, Any], **headers: str) -> httpx2.Response:
        """Send a message; header names have underscores here."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(self.url, json=message, headers={**CONTENT, **named})

    async def initialize(self) -> httpx2.Response:
        """Begin a session."""
        answer = await self.post(HELLO)
        if answer.status_code == 200:
            self.session = {"mcp-session-id": answer.headers["mcp-session-id"]}
        return answer

    async def call(self, tool: str, era: str = "handshake", **headers: str) -> httpx2.Response:
        """Call a tool, in the session or as a stateless client."""
        message = rpc("tools/call", name=tool, arguments={})
        if era == "handshake":
            return await self.post(message, **self.session, **headers)
        message["params"]["_meta"] = META
        named = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": tool}
        return await self.post(message, **named, **headers)
