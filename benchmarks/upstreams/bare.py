"""A uvicorn server that does nothing: what a connection costs before there is any MCP in it."""

from typing import Any, Final

import uvicorn

BODY: Final = b'{"jsonrpc":"2.0","id":0,"result":{}}'
HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the request and answer it with a constant."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


def main() -> None:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", lifespan="off", timeout_keep_alive=600
    )
    socket = config.bind_socket()
    socket.listen(1024)
    print(socket.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[socket])


if __name__ == "__main__":
    main()
