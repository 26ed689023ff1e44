"""An answer of the control API that is read line by line, while it goes on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse


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
def lines_of(path: str, target: str, timeout: float, *, forever: bool) -> Iterator[HTTPResponse]:
    """The answer to a GET over the unix socket `path`, to be iterated over its lines.

    Every wait has `timeout` seconds; with `forever` the lines after the beginning of the answer have no bound.

    Raises:
        OSError: nobody answers, or the answer broke off.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET", target)
        held = connection.sock
        answered = connection.getresponse()
        if forever:
            held.settimeout(None)
        with answered:
            yield answered
    except HTTPException as error:
        raise ConnectionError(f"the answer broke off: {error!r}") from error
    finally:
        connection.close()
