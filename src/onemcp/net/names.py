"""Names of hosts, looked up in threads of our own.

The event loop has few threads for that, which files and all other lookups share, and it waits for them when it ends: a
handful of names whose servers do not answer would hold up every connection of the process, and its end.
"""

import asyncio
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MOST: Final = 64
"""Names that are looked up at a time; the others wait for their turn."""

_Answer = list[str] | Exception
_Key = tuple[asyncio.AbstractEventLoop, str, int]


@dataclass(frozen=True, slots=True)
class _Lookup:
    """One name, for all who want it at this moment."""

    key: _Key
    found: asyncio.Future[_Answer]
    """An exception is its result, so that one that nobody waits for any more is no complaint."""


class _Desk:
    """Takes lookups and has threads for them, which end when there is nothing left to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[_Key, _Lookup] = {}
        self._queue: deque[_Lookup] = deque()
        self._threads = 0

    def ask(self, key: _Key) -> asyncio.Future[_Answer]:
        """The answer to come; whoever asks for what is being looked up shares it."""
        with self._lock:
            lookup = self._known.get(key)
            if lookup is None:
                lookup = self._known[key] = _Lookup(key, key[0].create_future())
                self._queue.append(lookup)
                if self._threads < MOST:
                    threading.Thread(target=self._work, name=f"look up {key[1]}", daemon=True).start()
                    self._threads += 1
        return lookup.found

    def _work(self) -> None:
        while (lookup := self._next()) is not None:
            loop, host, port = lookup.key
            answer = _look(host, port)
            with self._lock:
                del self._known[lookup.key]
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lookup.found.set_result, answer)

    def _next(self) -> _Lookup | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._threads -= 1
            return None


_desk: Final = _Desk()


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a host as the system has them, the best first. Cancelling waits for nothing.

    Raises:
        OSError: it has none, or it is no name.
    """
    if _is_address(host):
        return [host]
    # What is shared must not end with one of those who wait for it.
    answer = await asyncio.shield(_desk.ask((asyncio.get_running_loop(), host, port)))
    if isinstance(answer, Exception):
        raise answer
    return answer


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, ValueError):  # the latter is that of a NUL or of what is not ASCII
            socket.inet_pton(family, host)
            return True
    return False


def _look(host: str, port: int) -> _Answer:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(info[4][0]) for info in infos]
    except UnicodeError:
        return OSError("its host is no name")
    except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
        return error
