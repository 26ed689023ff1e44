"""What a provider of secrets is, and what it answers."""

import json
from dataclasses import dataclass
from typing import Final, Protocol

from onemcp.config.secrets.secret import Secret
from onemcp.errors import OnemcpError

MAX_BYTES: Final = 64 * 1024
"""The largest secret; the largest answer of a program too."""
TIMEOUT: Final = 10.0
"""Seconds that a provider has for one secret, if nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Found:
    """A secret that is there."""

    secret: Secret
    version: str = ""
    """The provider's own word for which one it is; empty where it has none."""
    lease: float | None = None
    """Seconds for which it is good; None for no such end."""
    notice: str = ""
    """What a person should change about where it is kept."""


class SecretError(OnemcpError):
    """A secret could not be had: `what` happened, and the `fix`; never with anything of a value.

    That there is none is no error but None.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix


class Provider(Protocol):
    """A place where secrets are kept."""

    @property
    def name(self) -> str:
        """How references and sentences call it."""

    @property
    def timeout(self) -> float:
        """Seconds for one secret; who asks keeps it, by cancelling `get`."""

    @property
    def recheck(self) -> float | None:
        """Seconds after which another may be there; None for the usual time."""

    async def get(self, path: str, field: str) -> Found | None:
        """The secret of that name; None if there is none.

        Raises:
            SecretError: it is not known whether there is one, or what is there cannot be used.
        """

    async def aclose(self) -> None:
        """Give back what it holds."""


def text_of(data: bytes, what: str) -> str:
    """The text of what was kept, without one line break at its end. `what` begins a sentence about it.

    Raises:
        SecretError: it is too long, or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise SecretError(f"{what} is larger than {MAX_BYTES} bytes", "keep only the secret there")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{what} is not UTF-8", "keep bytes as base64") from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def refuse_unusable(text: str, where: str = "") -> None:
    """Refuse what no file, header or process could be given; `where` ends the sentence about it.

    Raises:
        SecretError: it is too long, has a NUL character, or half of a surrogate pair (JSON can escape one).
    """
    if len(text) > MAX_BYTES:
        raise SecretError(f"it is longer than {MAX_BYTES} characters{where}", "is it a secret?")
    if "\0" in text:
        raise SecretError(f"it has a NUL character{where}", "keep bytes as base64")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SecretError(f"it has half of a surrogate pair{where}", "keep bytes as base64") from None


def member(text: str, field: str, what: str) -> str | None:
    """A member of an object of JSON; the text itself if no field is asked for. None if it has no such member.

    Raises:
        SecretError: it is no object, or the member is no text, number or truth value.
    """
    if not field:
        return text
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SecretError(f"{what} is no object of JSON, so it has no member {field}", f"leave #{field} away")
    return scalar(document[field], f"{what}#{field}") if field in document else None


def scalar(value: object, what: str) -> str:
    """A member as a text: numbers and truth values as JSON writes them.

    Raises:
        SecretError: it is an object, an array or null.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise SecretError(f"{what} is neither a text nor a number", "keep one value there")
