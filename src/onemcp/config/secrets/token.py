"""The token that Vault knows us by: given, kept in a file, or got by a login with the pod's service account."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from onemcp.config.secrets.provider import SecretError, text_of
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vault_config import Kubernetes, Token
from onemcp.net.response import Response

_MAX_TOKEN: Final = 16 * 1024
_USED_UP: Final = 0.8
"""The part of its life after which another token is got."""


class Post(Protocol):
    """Sends Vault a question that needs no token."""

    def __call__(self, target: str, body: Mapping[str, str]) -> Awaitable[Response]:
        """The answer. Raises SecretError if there is none."""


class _Auth(msgspec.Struct, frozen=True):
    client_token: str
    lease_duration: float = 0


class _Login(msgspec.Struct, frozen=True):
    auth: _Auth


@dataclass(slots=True)
class _Current:
    token: Secret = field(repr=False)
    until: float


class TokenSource:
    """Has the token for the next question; a login happens once however many wait for it."""

    def __init__(
        self, origin: Token | Kubernetes, post: Post, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._origin = origin
        self._post = post
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: _Current | None = None

    async def current(self) -> Secret:
        """The token.

        Raises:
            SecretError: there is none to be had.
        """
        async with self._lock:
            if self._current is None or self._current.until <= self._clock():
                self._current = await self._fresh()
            return self._current.token

    async def another(self, refused: Secret) -> Secret | None:
        """Another token than one that was refused; None if there is no other.

        Raises:
            SecretError: a login failed.
        """
        async with self._lock:
            if self._current is None or self._current.token == refused:
                self._current = await self._fresh()
            return None if self._current.token == refused else self._current.token

    async def _fresh(self) -> _Current:
        if isinstance(self._origin, Kubernetes):
            return await self._logged_in(self._origin)
        if self._origin.text is not None:
            return _Current(self._origin.text, float("inf"))
        return _Current(await _read(self._origin.file), float("inf"))

    async def _logged_in(self, login: Kubernetes) -> _Current:
        account = await _read(login.file)
        began = self._clock()
        response = await self._post(
            f"/v1/auth/{quote(login.mount.strip('/'))}/login", {"role": login.role, "jwt": account.reveal()}
        )
        if response.status != 200:
            raise SecretError(
                f"Vault refuses the login as {login.role} with status {response.status}",
                f"see the role at auth/{login.mount}/role/{login.role}: service account, namespace, audience",
            )
        try:
            auth = msgspec.json.decode(response.body, type=_Login).auth
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SecretError("Vault answered a login with something else", "is that Vault?") from None
        life = auth.lease_duration * _USED_UP if auth.lease_duration > 0 else float("inf")
        return _Current(Secret(auth.client_token), began + life)


async def _read(file: str) -> Secret:
    """A token in a file; the blanks around it are not part of it."""
    try:
        data = await asyncio.to_thread(_bytes, file)
    except OSError as error:
        raise SecretError(
            f"the token {file} cannot be read: {error.strerror}", "let the gateway's user read it"
        ) from None
    text = text_of(data, f"the token {file}").strip()
    if not text:
        raise SecretError(f"the token {file} is empty", "put a token into it")
    return Secret(text)


def _bytes(file: str) -> bytes:
    with Path(file).open("rb") as stream:
        return stream.read(_MAX_TOKEN)
