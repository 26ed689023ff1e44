"""An answer of the control API that is read line by line, while it goes on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Final

_PIECE: Final = 64 * 1024


class BrokenOffError(ConnectionError):
    """The answer had begun, and has no end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The lines are whole, each with its end, as they come; their wait raises as `lines_of` does."""

    status: int
    lines: Iterator[bytes]


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in the place of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextmanager
def lines_of(path: str, target: str, timeout: float, *, forever: bool) -> Iterator[Answer]:
    """The answer to a GET over the unix socket `path`.

    Every wait has `timeout` seconds; with `forever` the lines after the beginning of the answer have no bound.

    Raises:
        BrokenOffError: the answer broke off.
        OSError: nobody answers, or not in time.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", target)
        held = connection.sock
        answered = connection.getresponse()
        if forever:
            held.settimeout(None)
        with answered:
            yield Answer(answered.status, _lines(answered))
    except HTTPException as error:
        raise ConnectionError(f"what came is no answer: {error!r}") from error
    finally:
        connection.close()


def _lines(answered: HTTPResponse) -> Iterator[bytes]:
    """Not the response's own: those take one that breaks off for one that ends, and half a line for a line."""
    rest = b""
    try:
        while piece := answered.read1(_PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
    except (IncompleteRead, ConnectionResetError) as error:
        raise BrokenOffError("the answer broke off") from error
    if rest:
        yield rest
