"""Names of hosts, looked up in threads of our own.

The event loop has few threads for that, which files and all other lookups share, and it waits for them when it ends: a
handful of names whose servers do not answer would hold up every connection of the process, and its end.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Final

MOST: Final = 64
"""Lookups at a time; one that nobody waits for any more counts until the resolver gives it up."""

_places: Final = threading.BoundedSemaphore(MOST)


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a host as the system has them, the best first. Cancelling waits for nothing.

    Raises:
        OSError: it has none, it is no name, or too many are being looked up.
    """
    if not _places.acquire(blocking=False):
        raise OSError(f"{MOST} names are being looked up already")
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def look() -> None:
        answer: list[str] | Exception
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer = [str(info[4][0]) for info in infos]
        except UnicodeError:
            answer = OSError("its host is no name")
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            answer = error
        finally:
            _places.release()
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_settle, found, answer)

    threading.Thread(target=look, name=f"look up {host}", daemon=True).start()
    return await found


def _settle(found: "asyncio.Future[list[str]]", answer: list[str] | Exception) -> None:
    if found.done():  # cancelled
        return
    if isinstance(answer, Exception):
        found.set_exception(answer)
    else:
        found.set_result(answer)
