r"""The `.env` file beside a configuration: values for references, which no server inherits.

    # a remark
    NAME=text             until the end of the line, or until a # with a blank in front of it
    export NAME="text"    with \n, \t, \", \\ and $ as they are; may go over several lines
    NAME='text'           as it stands

Nothing in it is expanded. A variable of the environment counts before one of the file.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from onemcp.config.sources import MAX_BYTES, read_bytes, unreadable
from onemcp.core.readable import readable
from onemcp.errors import ConfigError, Problem

NAME: Final = ".env"
_HEAD: Final = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_QUOTED: Final = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_BLANK: Final = re.compile(r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)")
_REMARK: Final = re.compile(r"[ \t]#")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r"}


def load_dotenv(folder: Path) -> Mapping[str, str]:
    """What the `.env` in a folder says; nothing where there is none.

    Raises:
        ConfigError: it cannot be read, or a line of it is none of these.
    """
    path = folder / NAME
    file = readable(str(path))
    try:
        data = read_bytes(path)
    except (NotADirectoryError, IsADirectoryError):  # a folder of that name may be a virtual environment
        return {}
    except FileNotFoundError as error:
        if path.is_symlink():
            raise unreadable(file, "the link leads nowhere", "mend it, or take it away") from error
        return {}
    except OSError as error:
        raise unreadable(file, f"the file cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise unreadable(file, "the file is larger than 10 MiB")
    try:
        return parse_dotenv(data.decode("utf-8-sig"), file)
    except UnicodeDecodeError:
        raise unreadable(file, "the file is not UTF-8", "save it as UTF-8") from None


def parse_dotenv(text: str, file: str = NAME) -> dict[str, str]:
    """The variables of a text; of one that stands there twice the last counts.

    Raises:
        ConfigError: a line that is no entry, with its place and without what stands in it.
    """
    lines = _Lines(text.replace("\r\n", "\n"), file)
    return dict(lines.entries())


class _Lines:
    """A text on its way to being read; every character is looked at a fixed number of times."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0

    def entries(self) -> Iterator[tuple[str, str]]:
        while self._at < len(self._text):
            blank = _BLANK.match(self._text, self._at)
            if blank is not None:
                self._at = blank.end()
            else:
                yield self._entry()

    def _entry(self) -> tuple[str, str]:
        head = _HEAD.match(self._text, self._at)
        if head is None:
            raise self._refusal()
        if self._text[head.end() : head.end() + 1] in ("'", '"'):
            return head[1], self._quoted(head.end())
        return head[1], self._bare(head.end())

    def _quoted(self, start: int) -> str:
        value = _QUOTED.match(self._text, start)
        rest = _BLANK.match(self._text, value.end()) if value is not None else None
        if value is None or rest is None:
            raise self._refusal()
        self._at = rest.end()
        if value[1] is not None:
            return value[1]
        return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), value[2])

    def _bare(self, start: int) -> str:
        end = self._text.find("\n", start)
        end = len(self._text) if end < 0 else end
        self._at = end + 1
        remark = _REMARK.search(self._text, max(start - 1, 0), end)
        return self._text[start : remark.start() if remark is not None else end].strip(" \t")

    def _refusal(self) -> ConfigError:
        line = self._text.count("\n", 0, self._at) + 1
        return ConfigError(
            Problem("this is no NAME=text", "quote a text with blanks or quotes", self._file, line, 1)
        )
