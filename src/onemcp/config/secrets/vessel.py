"""The sealed file: secrets by name, each encrypted by itself, in a document that is replaced as a whole.

    {"onemcp": "secrets", "format": 1, "key": "<id of the key>", "secrets": {
        "<name>": {"version": 2, "changed": "2026-01-31T12:00:00Z", "sealed": "v1.<nonce and ciphertext>"}}}

AES-256-GCM; a name and version are bound to their text as additional data, so that no entry can be passed off as
another one. Names, versions and times can be read without the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from onemcp.config.secrets.files import locked, replaced
from onemcp.config.secrets.key import Key, KeyPlace, keep_key
from onemcp.config.secrets.provider import MAX_BYTES, SecretError, refuse_unusable
from onemcp.config.secrets.secret import Secret
from onemcp.seal.keyring import Keyring

FORMAT: Final = 1
MAX_FILE: Final = 16 * 1024 * 1024
MAX_SECRETS: Final = 4096
_LOOKS: Final = 3
"""Between reading the file and its key, both may have been replaced."""
_KIND: Final = "secrets"
_TOKEN: Final = 2 * MAX_BYTES
"""Characters of a sealed secret, base64 and all."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One secret, sealed."""

    version: int
    changed: str
    """When, as `2026-01-31T12:00:00Z`."""
    sealed: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    onemcp: str
    format: int
    key: str
    secrets: dict[str, Entry] = {}


@dataclass(frozen=True, slots=True)
class Contents:
    """What the file has."""

    key: str
    """The id of the key that opens it; empty if there is nothing to open."""
    entries: Mapping[str, Entry]


class Vessel:
    """The file, and the key to it. Every change is whole: of two at the same time one waits for the other."""

    def __init__(self, path: Path, place: KeyPlace) -> None:
        self.path = path
        self.place = place

    def entries(self) -> Mapping[str, Entry]:
        """What is there, by name; no key is needed.

        Raises:
            SecretError: the file cannot be read.
        """
        return self._contents().entries

    def get(self, name: str) -> tuple[Secret, int] | None:
        """A secret and its version.

        Raises:
            SecretError: the file cannot be read, or not with this key.
        """
        for attempt in range(_LOOKS):
            contents = self._contents()
            entry = contents.entries.get(name)
            if entry is None:
                return None
            try:
                key = self._key(contents)
            except SecretError:
                if attempt == _LOOKS - 1:
                    raise
            else:
                return _opened(key, name, entry, self.path), entry.version
        raise AssertionError("unreachable")

    def set(self, name: str, secret: Secret, now: str) -> int:
        """Keep a secret, in the place of the one before; its version. The first one makes file and key.

        Raises:
            SecretError: nothing was changed; so if nobody could use it as a secret.
        """
        refuse_unusable(secret.reveal())
        with locked(self.path, self.place.file, self.place.next):
            contents = self._contents()
            key = self._key(contents, make=True)
            entries = dict(contents.entries)
            version = entries[name].version + 1 if name in entries else 1
            if name not in entries and len(entries) >= MAX_SECRETS:
                raise SecretError(f"{self.path} has {MAX_SECRETS} secrets already", "remove some")
            entries[name] = _sealed(key, name, secret, version, now)
            self._keep(key, entries)
        return version

    def remove(self, name: str) -> bool:
        """Forget a secret; whether there was one.

        Raises:
            SecretError: nothing was changed.
        """
        with locked(self.path, self.place.file, self.place.next):
            contents = self._contents()
            if name not in contents.entries:
                return False
            key = self._key(contents)
            self._keep(key, {other: entry for other, entry in contents.entries.items() if other != name})
        return True

    def rotate(self, to: Path | None = None) -> tuple[int, Path]:
        """Seal everything with a new key; how many secrets that were, and the file that the new key is in.

        Without `to` the key's own file gets it. At every moment the file and its key, or that one's `.new`, fit.

        Raises:
            SecretError: nothing was changed. There is no key, it comes from a variable and there is no `to`, or that
                file is there already.
        """
        with locked(self.path, self.place.file, self.place.next):
            contents = self._contents()
            old = self._key(contents, make=True)
            fresh = Key.fresh()
            target = to or self.place.file
            if to is None and self.place.variable:
                raise SecretError(
                    f"the key comes from {self.place}, which cannot be written",
                    "name a file for the new one with --to, then set the variable to what is in it",
                )
            if to is not None and (to.exists() or to == self.path):
                raise SecretError(f"{to} is there already", "name a new file")
            entries = {
                name: _sealed(fresh, name, _opened(old, name, entry, self.path), entry.version, entry.changed)
                for name, entry in contents.entries.items()
            }
            keep_key(to or self.place.next, fresh)
            self._keep(fresh, entries)
            if to is None:
                self._settle()
        return len(entries), target

    def _keep(self, key: Key, entries: Mapping[str, Entry]) -> None:
        document = msgspec.json.encode(_File(_KIND, FORMAT, key.id, dict(sorted(entries.items()))))
        data = msgspec.json.format(document, indent=2) + b"\n"
        if len(data) > MAX_FILE:
            raise SecretError(f"{self.path} would become larger than {MAX_FILE} bytes", "remove some")
        replaced(self.path, data)

    def _key(self, contents: Contents, *, make: bool = False) -> Key:
        """The key that opens the file; for an empty one the key that is there, or is made."""
        key = self.place.load()
        if key is not None and contents.key in ("", key.id):
            return key
        if contents.key and (fresh := self.place.load_next()) is not None and fresh.id == contents.key:
            if make:
                self._settle()
            return fresh
        if key is None and not contents.key and make:
            key = Key.fresh()
            keep_key(self.place.file, key)
            return key
        if key is None:
            raise SecretError(
                f"there is no key to {self.path}",
                f"put it into {self.place.file}, or into ONE_MCP_SECRETS_KEY",
            )
        raise SecretError(
            f"{self.place} is not the key to {self.path}", f"it takes the one with the id {contents.key}"
        )

    def _settle(self) -> None:
        """The new key is the key: the end of a rotation."""
        try:
            self.place.next.replace(self.place.file.resolve())
        except OSError as error:
            raise SecretError(
                f"{self.place.file} cannot be written: {error.strerror}",
                f"the new key is in {self.place.next}; move it there",
            ) from None

    def _contents(self) -> Contents:
        try:
            with self.path.open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
        except FileNotFoundError:
            return Contents("", {})
        except OSError as error:
            raise SecretError(
                f"{self.path} cannot be read: {error.strerror}", "let its user read it"
            ) from None
        try:
            file = msgspec.json.decode(data, type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SecretError(
                f"{self.path} is damaged, or not a file of secrets", "restore it from a copy"
            ) from None
        if file.onemcp != _KIND or file.format != FORMAT:
            raise SecretError(
                f"{self.path} has the format {file.format}, and this version reads {FORMAT}",
                "use the version that wrote it",
            )
        return Contents(file.key if file.secrets else "", file.secrets)


def _purpose(name: str, version: int) -> str:
    return f"secret {FORMAT} {version} {name}"


def _sealed(key: Key, name: str, secret: Secret, version: int, changed: str) -> Entry:
    text = secret.reveal().encode()
    return Entry(version, changed, Keyring(key.reveal()).seal(_purpose(name, version), text))


def _opened(key: Key, name: str, entry: Entry, path: Path) -> Secret:
    text = Keyring(key.reveal()).open(_purpose(name, entry.version), entry.sealed, _TOKEN)
    if text is None:
        raise SecretError(f"{name} in {path} was changed or damaged", f"set it again: 1mcp secret set {name}")
    return Secret(text.decode())
