"""The key ring: AES-256-GCM keys, kept in the state folder so that a restart recognises what was handed out before."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onemcp.errors import StartError

_VERSION: Final = "v1"
_NONCE: Final = 12
_KEY_BYTES: Final = 32
MAX_TOKEN: Final = 1024
"""Longest token that is looked at, in characters, unless the purpose needs more: it has to fit into a header of any
proxy."""


class Keyring:
    """Seals small payloads into visible ASCII and opens them again.

    A token is bound to the purpose that it was sealed for (as additional authenticated data): a session id is no
    cursor. Foreign, changed or truncated tokens open to None, in the same time.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def ephemeral(cls) -> Self:
        """A ring for the life of the process."""
        return cls(os.urandom(_KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The ring kept in a file, made at first use with mode 0600.

        Raises:
            StartError: the file cannot be read or written, or is no key.
        """
        try:
            key = _create(path) if not path.exists() else path.read_bytes()
        except OSError as error:
            raise StartError(
                f"{path}: the session key cannot be kept: {error.strerror}", "choose another --state-dir"
            ) from error
        if len(key) != _KEY_BYTES:
            raise StartError(
                f"{path}: not a key of {_KEY_BYTES} bytes", "remove the file; sessions then begin anew"
            )
        return cls(key)

    def seal(self, purpose: str, payload: bytes) -> str:
        """A token for the payload."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, payload, purpose.encode())
        return f"{_VERSION}.{_text(nonce + sealed)}"

    def open(self, purpose: str, token: str, limit: int = MAX_TOKEN) -> bytes | None:
        """The payload of a token of ours of at most `limit` characters; None for anything else."""
        version, _, text = token.partition(".")
        if version != _VERSION or len(token) > limit:
            return None
        try:
            data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if _text(data) != text:
                return None  # decoding skips what is no base64: of all spellings only ours is the token
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], purpose.encode())
        except (ValueError, InvalidTag):
            return None


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _create(path: Path) -> bytes:
    """Write a fresh key so that it is there whole or not at all, and keep the one that is there first."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.urandom(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()
