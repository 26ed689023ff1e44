"""A server on stdio whose calls end when the test says so, of the standard library only.

    held = Held(folder)
    {"mcpServers": {"a": held.entry()}}
    held.release()

Its tools: `hold` sends one progress, waits for `release`, sends another and answers with the number of the call;
`echo` answers at once.
"""

import asyncio
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

LIMIT = 20.0
PAUSE = 0.005


class Held:
    """The test's side of one server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def entry(self, **members: Any) -> dict[str, Any]:
        """The server's entry in a configuration."""
        arguments = ["-S", "-E", str(Path(__file__).resolve()), str(self._folder)]
        return {"command": sys.executable, "args": arguments, "protocol": "2025-11-25", **members}

    def release(self) -> None:
        """Let every call of `hold` end, those that are still to come, too."""
        (self._folder / "release").touch()

    async def answered(self) -> None:
        """Return when the answer to a call of `hold` is written; bounded."""
        async with asyncio.timeout(LIMIT):
            while not (self._folder / "answered").exists():
                await asyncio.sleep(PAUSE)

    @property
    def calls(self) -> int:
        """How many calls of `hold` came, to this process and those before it."""
        return len(list(self._folder.glob("call-*")))


class Server:
    """The server's side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Until stdin ends."""
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message and "method" in message:
                threading.Thread(target=self._answer, args=(message,), daemon=True).start()

    def _answer(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message["method"], params.get("name"):
            case "initialize", _:
                result: Any = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "held", "version": "1"},
                }
            case "tools/list", _:
                schema = {"type": "object"}
                result = {"tools": [{"name": name, "inputSchema": schema} for name in ("hold", "echo")]}
            case "tools/call", "hold":
                result = _text(self._hold(params.get("_meta", {}).get("progressToken")))
            case _:
                result = _text("echo")
        self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
        if params.get("name") == "hold":
            (self._folder / "answered").touch()

    def _hold(self, token: Any) -> str:
        number = len(list(self._folder.glob("call-*"))) + 1
        (self._folder / f"call-{number}").touch()
        self._progress(token, 1)
        while not (self._folder / "release").exists():
            time.sleep(PAUSE)
        self._progress(token, 2)
        return f"held {number}"

    def _progress(self, token: Any, value: int) -> None:
        if token is not None:
            params = {"progressToken": token, "progress": value}
            self._write({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        with self._lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()


def _text(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


if __name__ == "__main__":
    Server(Path(sys.argv[1])).serve()
