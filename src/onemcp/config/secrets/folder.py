"""Secrets in a folder, one file each: what Docker, Podman and systemd put there, or a mounted Secret of Kubernetes."""

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onemcp.config.secrets.provider import MAX_BYTES, TIMEOUT, Found, SecretError, member, text_of
from onemcp.config.secrets.secret import Secret

USUAL: Final = "/run/secrets"
_TRIES: Final = 3
"""A volume that is swapped takes the old files away between two looks at it."""


@dataclass(frozen=True, slots=True)
class FolderConfig:
    """Which folder."""

    path: str = USUAL
    timeout: float = TIMEOUT


class Folder:
    """The name of a secret is that of its file, below the folder; one line break at its end is not part of it.

    A file is followed through links as long as they stay in the folder (Kubernetes: `name` is a link to `..data/name`,
    and `..data` one to a folder that is replaced as a whole). A folder that is not there has nothing.
    """

    recheck: float | None = 5.0

    def __init__(self, name: str, config: FolderConfig) -> None:
        self.name = name
        self.timeout = config.timeout
        self._folder = Path(config.path)

    async def get(self, path: str, field: str) -> Found | None:
        """The file's text.

        Raises:
            SecretError: the name leads elsewhere, or the file cannot be read or is no text.
        """
        return await asyncio.to_thread(self._read, path, field)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _read(self, path: str, field: str) -> Found | None:
        if any(part in ("", ".") or part.startswith("..") for part in path.split("/")):
            raise SecretError(
                f"{path} is not the name of a file in {self._folder}", "name one without . and .. in its path"
            )
        what = str(self._folder / path)
        for _ in range(_TRIES):
            try:
                data, facts = self._bytes(path, what)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a name with a NUL
                reason = getattr(error, "strerror", None) or "it is not a usable path"
                raise SecretError(
                    f"{what} cannot be read: {reason}", "let the gateway's user read it"
                ) from None
            text = member(text_of(data, what), field, what)
            return None if text is None else Found(Secret(text), notice=_notice(what, facts))
        return None

    def _bytes(self, path: str, what: str) -> tuple[bytes, os.stat_result]:
        real = (self._folder / path).resolve(strict=True)
        if not real.is_relative_to(self._folder.resolve(strict=True)):
            raise SecretError(f"{what} is a link that leaves the folder", "put the file itself there")
        # What is no file may never answer: opening a pipe waits for its writer.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise SecretError(f"{what} is not a file", "a secret is a file with nothing else in it")
            return os.read(descriptor, MAX_BYTES + 1), facts
        finally:
            os.close(descriptor)


def _notice(what: str, facts: os.stat_result) -> str:
    """Files that others could change, and those of our own that others read: of root's we hardly choose the mode."""
    if facts.st_mode & stat.S_IWOTH:
        return f"{what} can be written by everybody; chmod 600 it"
    own = facts.st_uid == os.geteuid() != 0
    if own and facts.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"{what} can be read by others; chmod 600 it"
    return ""
