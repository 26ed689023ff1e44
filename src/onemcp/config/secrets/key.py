"""The key of the sealed file: 32 bytes, from a variable or a file."""

import binascii
import hashlib
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from onemcp.config.secrets.files import replaced
from onemcp.config.secrets.provider import SecretError

KEY: Final = "ONE_MCP_SECRETS_KEY"
KEY_FILE: Final = "ONE_MCP_SECRETS_KEY_FILE"
_BYTES: Final = 32
_MAX_FILE: Final = 1024
_FIX: Final = "a key is 32 random bytes in base64, as openssl rand -base64 32 makes them"


class Key:
    """32 bytes. It shows as its id, which tells keys apart and nothing of them."""

    __slots__ = ("__data", "id")

    def __init__(self, data: bytes) -> None:
        self.__data = data
        self.id = hashlib.sha256(b"onemcp secrets key id\n" + data).hexdigest()[:16]

    @classmethod
    def fresh(cls) -> Self:
        """A new one."""
        return cls(os.urandom(_BYTES))

    @classmethod
    def parse(cls, text: str, what: str) -> Self:
        """The key in a text: base64 of either alphabet, or hexadecimal. `what` begins a sentence about it.

        Raises:
            SecretError: it is none.
        """
        text = "".join(text.split())
        try:
            data = bytes.fromhex(text) if len(text) == 2 * _BYTES else _base64(text)
        except ValueError:
            data = b""
        if len(data) != _BYTES:
            raise SecretError(f"{what} holds no key of {_BYTES} bytes", _FIX)
        return cls(data)

    def reveal(self) -> bytes:
        """The bytes."""
        return self.__data

    def text(self) -> str:
        """As it is kept."""
        return b64encode(self.__data).decode()

    def __repr__(self) -> str:
        return f"<Key {self.id}>"


def _base64(text: str) -> bytes:
    try:
        return b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError from error


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where the key is: in a variable, or else in a file."""

    file: Path
    variable: str = ""
    """The variable that has it; empty if the file does."""
    text: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"KeyPlace({str(self)!r})"

    def __str__(self) -> str:
        """For a person."""
        return f"the variable {self.variable}" if self.variable else str(self.file)

    @property
    def next(self) -> Path:
        """The file of a new key while the secrets are sealed anew: one of the two opens them at any moment."""
        return self.file.with_name(self.file.name + ".new")

    def load(self) -> Key | None:
        """The key; None if there is no file.

        Raises:
            SecretError: it cannot be read, or is no key.
        """
        return Key.parse(self.text, str(self)) if self.variable else read_key(self.file)

    def load_next(self) -> Key | None:
        """The key of a rotation that did not come to its end.

        Raises:
            SecretError: it cannot be read, or is no key.
        """
        return None if self.variable else read_key(self.next)

    def keep(self, key: Key) -> None:
        """Put it into the file."""
        keep_key(self.file, key)


def key_place(environ: Mapping[str, str], usual: Path, named: str = "") -> KeyPlace:
    """Where the key is: the file that is `named`, the variable, the file that a variable names, or the usual one."""
    if named:
        return KeyPlace(Path(named))
    if text := environ.get(KEY):
        return KeyPlace(usual, KEY, text)
    return KeyPlace(Path(environ.get(KEY_FILE) or usual))


def read_key(path: Path) -> Key | None:
    """The key in a file; None if there is no such file.

    Raises:
        SecretError: it cannot be read, or is no key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretError(
            f"the key {path} cannot be read: {error.strerror}", "let its user read it"
        ) from None
    if len(data) == _BYTES:
        return Key(data)
    return Key.parse(data.decode("ascii", errors="replace"), str(path))


def keep_key(path: Path, key: Key) -> None:
    """Write a key, whole or not at all, for its owner alone.

    Raises:
        SecretError: it cannot be written.
    """
    replaced(path, key.text().encode() + b"\n")
