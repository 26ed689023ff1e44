"""A text that somebody changes in an editor, in a file that nobody else can read."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from onemcp.cli.outcome import CommandError
from onemcp.cli.server.telling import warn
from onemcp.cli.text import one_line
from onemcp.errors import Problem

_USUAL: Final = ("vi", "nano")
_MARK: Final = "//! "
"""What the lines at the top begin with that are ours."""


class Desk:
    """A folder of its own for the text. It stays where what was written in it would be lost otherwise."""

    def __init__(self, environ: Mapping[str, str], name: str, title: str) -> None:
        """`title` is told above the text.

        Raises:
            CommandError: there is no editor, or no place for the text.
        """
        self._environ = environ
        self._title = title
        self._argv = _editor(environ)
        self._folder = _folder()
        safe = "".join(char if char.isalnum() or char in "-_" else "_" for char in name)
        self._file = self._folder / f"{safe[:60]}.jsonc"
        self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_kept:
            warn(f"what you wrote is in {self._file}")
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def clear(self) -> None:
        """What was written has arrived: it need not be kept."""
        self._is_kept = False

    def ask(self, text: str, problems: Iterable[Problem] = ()) -> str | None:
        """The text as it is when the editor has ended; None if it is left as it was, or empty.

        `problems` are told above it.

        Raises:
            CommandError: the editor failed, or ended with the text for which there are problems.
        """
        problems = tuple(problems)
        head = [f"{one_line(self._title)}; left as it is, or empty, nothing changes"]
        head += [one_line(str(problem)) for problem in problems]
        before = "".join(f"{_MARK}{line}\n" for line in head) + text + "\n"
        self._write(before)
        self._run()
        written = _without_head(self._read()).strip()
        if written in ("", text.strip()):
            if problems and written:
                raise CommandError("it is faulty as it was; nothing was changed")
            self._is_kept = False
            return None
        self._is_kept = True
        return written

    def _write(self, text: str) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - it is open already
            file.write(text)

    def _read(self) -> str:
        try:
            with self._file.open(encoding="utf-8", newline="") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            self._is_kept = self._file.exists()
            raise CommandError(f"what was written cannot be read: {error}", "nothing was changed") from None

    def _run(self) -> None:
        argv = [*self._argv, str(self._file)]
        try:
            with _keys_left_alone():
                code = subprocess.run(argv, env=dict(self._environ), check=False).returncode  # noqa: S603 - the editor of whoever runs this
        except OSError as error:
            raise CommandError(f"{self._argv[0]} cannot be started: {error.strerror}", "set EDITOR") from None
        if code != 0:
            raise CommandError(f"{self._argv[0]} ended with {code}; nothing was changed")


@contextmanager
def _keys_left_alone() -> Iterator[None]:
    """Ctrl-C and its like mean something to the editor, and the terminal sends them to both.

    They are taken and not ignored, since what is ignored here would be in the editor too.
    """
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="1mcp-"))
    except OSError as error:
        what = f"there is no place for the text: {error.strerror}"
        raise CommandError(
            what, "set TMPDIR to a folder that can be written, or use --set and --unset"
        ) from None


def _without_head(text: str) -> str:
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith(_MARK):
        lines.pop(0)
    return "".join(lines)


def _editor(environ: Mapping[str, str]) -> list[str]:
    """The editor of whoever runs this, with its options."""
    named = environ.get("VISUAL") or environ.get("EDITOR") or ""
    try:
        argv = shlex.split(named)
    except ValueError:
        raise CommandError(f"{named} is no command line", "set VISUAL or EDITOR") from None
    path = environ.get("PATH")
    argv = argv or [found for each in _USUAL if (found := shutil.which(each, path=path))][:1]
    if not argv:
        raise CommandError("there is no editor", "set VISUAL or EDITOR, or use --set and --unset")
    return argv
