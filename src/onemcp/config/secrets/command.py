"""Secrets that a program prints: a password manager, the command line of a cloud."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from onemcp.config.secrets.provider import MAX_BYTES, TIMEOUT, Found, SecretError, member, text_of
from onemcp.config.secrets.secret import Secret
from onemcp.core.redact import SECRET, sanitised
from onemcp.core.secrets import Redactor

PATH: Final = "{path}"
FIELD: Final = "{field}"
_TAIL: Final = 4096
"""Bytes kept of what it says on standard error."""
_SHOWN: Final = 160
_LONGEST_WORD: Final = 20
_REAP: Final = 5.0
"""Seconds for the kernel to hand over one that was killed."""
_LAST_WORDS: Final = 0.5
"""Seconds after its end for what it said; a daemon that it started may hold the pipe for ever."""


@dataclass(frozen=True, slots=True)
class CommandConfig:
    """Which program, and what it gets to know."""

    argv: tuple[str, ...]
    """With `{path}` in one of them at least, and maybe `{field}`."""
    environment: tuple[tuple[str, str], ...] = ()
    """All that it gets."""
    folder: str = ""
    """Where it runs; empty for where the gateway does."""
    missing: frozenset[int] = frozenset()
    """Exit codes that mean that there is no such secret."""
    timeout: float = TIMEOUT

    def __repr__(self) -> str:
        """Without arguments and environment, which may have been put together from variables."""
        return f"CommandConfig({self.argv[0]!r})"


class Command:
    """Runs a program for each secret, without a shell; what it prints is the secret, without one line break at its end.

    Path and field of a reference take the places of `{path}` and `{field}` inside the arguments; without `{field}` a
    field is looked for in what was printed, as a member of an object of JSON. Printing nothing means that there is none.
    The program leads a process group, which is killed if it takes too long or prints too much.
    """

    recheck: float | None = None

    def __init__(self, name: str, config: CommandConfig) -> None:
        self.name = name
        self.timeout = config.timeout
        self._config = config
        self._takes_field = any(FIELD in argument for argument in config.argv)

    async def get(self, path: str, field: str) -> Found | None:
        """What the program prints.

        Raises:
            SecretError: it cannot be started, fails, or prints what cannot be used.
        """
        if self._takes_field and not field:
            raise SecretError(f"{self.name} needs a field", "write provider:path#field")
        argv = [_filled(argument, path, field) for argument in self._config.argv]
        printed, said, code = await self._run(argv)
        if code in self._config.missing or (code == 0 and not printed):
            return None
        if code != 0:
            what = f"{self._program} ended with {_status(code)}{_words(said, printed)}"
            raise SecretError(what, f"see what {argv[0]} says when the gateway's user runs it")
        what = f"what {self._program} printed"
        text = member(text_of(printed, what), "" if self._takes_field else field, what)
        return None if text is None else Found(Secret(text))

    async def aclose(self) -> None:
        """Nothing is held: a program ends with the question that it was started for."""

    @property
    def _program(self) -> str:
        return os.path.basename(self._config.argv[0])  # noqa: PTH119 - for a person; a Path adds nothing

    async def _run(self, argv: list[str]) -> tuple[bytes, bytes, int]:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(self._config.environment),
                cwd=self._config.folder or None,
                start_new_session=True,
                limit=MAX_BYTES,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "an argument cannot be handed to a process"
            raise SecretError(
                f"{self._program} cannot be started: {reason}", "install it, or correct the command"
            ) from None
        try:
            return await self._read(process)
        except BaseException:
            await _kill(process)
            raise
        finally:
            _let_go(process)

    async def _read(self, process: Process) -> tuple[bytes, bytes, int]:
        assert process.stdout is not None
        assert process.stderr is not None
        said = bytearray()
        listening = asyncio.ensure_future(_keep_tail(process.stderr, said))
        try:
            printed = await _head(process.stdout, MAX_BYTES + 1)
            if len(printed) > MAX_BYTES:
                raise SecretError(
                    f"{self._program} printed more than {MAX_BYTES} bytes", "let it print only the secret"
                )
            code = await process.wait()
            await asyncio.wait((listening,), timeout=_LAST_WORDS)
            return printed, bytes(said), code
        finally:
            listening.cancel()
            await asyncio.wait((listening,))


async def _head(stream: asyncio.StreamReader, most: int) -> bytes:
    data = b""
    while len(data) < most and (chunk := await stream.read(most - len(data))):
        data += chunk
    return data


async def _keep_tail(stream: asyncio.StreamReader, kept: bytearray) -> None:
    while chunk := await stream.read(_TAIL):
        kept += chunk
        del kept[:-_TAIL]


def _let_go(process: Process) -> None:
    """Close its pipes, which a daemon that it started may still hold: there is no other way."""
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - said above


async def _kill(process: Process) -> None:
    """Nobody of its group is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _let_go(process)  # what it printed and nobody reads would keep the wait below from its end
    with suppress(TimeoutError):
        async with asyncio.timeout(_REAP):
            await process.wait()


def _filled(argument: str, path: str, field: str) -> str:
    """One argument with both put in, at once, so that a path with `{field}` in it stays as it is."""
    return path.join(piece.replace(FIELD, field) for piece in argument.split(PATH))


def _status(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _words(said: bytes, printed: bytes) -> str:
    """The last line of what it said, if there is one: plain words alone, since nobody knows what a program repeats."""
    lines = said.decode(errors="replace").strip().splitlines()
    if not lines:
        return ""
    hidden = Redactor(line.strip() for line in printed.decode(errors="replace").splitlines() if line.strip())
    line = sanitised(hidden(lines[-1]), _SHOWN)
    return f", saying: {' '.join(map(_plain, line.split()))}"


def _plain(word: str) -> str:
    bare = word.strip("\"'`()[].,:;!?*<>…")
    return word if len(bare) <= _LONGEST_WORD and (not bare or bare.isalpha()) else SECRET


def minimal(inherited: Mapping[str, str], own: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The environment of a program, in an order that two can be compared by."""
    return tuple(sorted({**inherited, **own}.items()))
