"""An MCP server over HTTP with one tool: the example behind the gateway of compose.yaml."""  # noqa: INP001 - a script, alone in its image

from datetime import datetime
from zoneinfo import ZoneInfo

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse

server = MCPServer("clock")


@server.tool()
def now(timezone: str = "UTC") -> str:
    """Tell the time in a time zone, as Europe/Berlin."""
    return datetime.now(ZoneInfo(timezone)).isoformat(timespec="seconds")


@server.custom_route("/health", methods=["GET"])
async def health(_: Request) -> PlainTextResponse:
    """Tell Compose that the gateway may be started."""
    return PlainTextResponse("ok\n")


if __name__ == "__main__":
    names = TransportSecuritySettings(allowed_hosts=["clock:8000", "localhost:8000"])
    app = server.streamable_http_app(transport_security=names)
    uvicorn.run(app, host="0.0.0.0", port=8000, ws="none")  # noqa: S104 - the network of Compose is who gets there
