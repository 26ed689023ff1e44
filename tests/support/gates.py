"""Servers that start when the test says so: their command waits at a gate (a FIFO) before it becomes the server."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any, Final

from tests.support.scripted import command

LIMIT: Final = 20.0


class Gate:
    """The gate of one scripted server, closed at first and again after each start."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._path = folder / f"{name}.gate"
        os.mkfifo(self._path)

    def entry(self, *arguments: object, **members: Any) -> dict[str, Any]:
        """The server's entry in a configuration; `arguments` are those of `scripted.py`."""
        server = command("--name", self.name, *arguments)
        script = 'read -r _ < "$0" && exec "$@"'
        return {"command": ["sh", "-c", script, str(self._path), *server], **members}

    async def open(self) -> None:
        """Let it start; waits for it to come to the gate, bounded."""
        async with asyncio.timeout(LIMIT):
            while (descriptor := self._writer()) is None:
                await asyncio.sleep(0.01)
        os.write(descriptor, b"\n")
        os.close(descriptor)

    def _writer(self) -> int | None:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
            return None
