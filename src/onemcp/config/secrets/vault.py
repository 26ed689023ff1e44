"""Secrets in HashiCorp Vault, or OpenBao: the KV secrets engine, version 2, over its HTTP API.

Source: Vault's API documentation, "KV secrets engine - version 2" (read secret version), "Kubernetes auth method"
(login), and "HTTP API" (namespaces, status codes).
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from onemcp.config.secrets.flights import Flights
from onemcp.config.secrets.provider import MAX_BYTES, Found, SecretError, scalar
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.token import TokenSource
from onemcp.config.secrets.vault_config import VaultConfig
from onemcp.net.fault import HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import split_url
from onemcp.net.pool import Limits
from onemcp.net.response import Response

_ONLY: Final = "value"
"""The field that is meant where a secret has several and none is named."""
_NAMED: Final = 10
_TROUBLE: Final = {
    400: ("does not understand the question", "is the mount a KV secrets engine of version 2?"),
    404: (
        "knows no such mount or namespace",
        "are mount and namespace right, and is the address that of Vault?",
    ),
    412: ("has not caught up with its primary yet", "try again"),
    429: ("is asked too much", "raise its rate limit"),
    472: ("is a secondary for disaster recovery", "name the primary's address"),
    473: ("is a standby", "name the active node's address"),
    501: ("is not initialised", "initialise it"),
    503: ("is sealed, or down for maintenance", "unseal it"),
}


class Vault:
    """Reads the newest version of a secret; the field is a key of it. No redirect is followed, so no token is carried off.

    If the token is refused, another one is got, once: by a login, or from the file that it came from.
    """

    recheck: float | None = None

    def __init__(self, name: str, config: VaultConfig) -> None:
        self.name = name
        self.timeout = config.timeout
        self._config = config
        self._reads: Flights[str, _Version | None] = Flights()
        self._client: HttpClient | None = None
        self._connecting = asyncio.Lock()
        self._tokens = TokenSource(config.token, self._post)

    def __repr__(self) -> str:
        return f"<Vault {self.name} {self._config.address}>"

    async def get(self, path: str, field: str) -> Found | None:
        """One field of the secret; without a name, `value`, or the only one.

        Raises:
            SecretError: it cannot be asked, refuses, or the secret has no such single field.
        """
        if any(not part.strip(".") for part in path.split("/")):
            raise SecretError(f"{path} is no path in {self.name}", "write one without empty parts, . and ..")
        version = await self._reads.get(path, partial(self._read, path))
        if version is None:
            return None
        name = field or self._only(version, path)
        if name not in version.data:
            return None
        text = scalar(version.data[name], f"{path}#{name} in {self.name}")
        return Found(Secret(text), version.version, version.lease)

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _only(self, version: "_Version", path: str) -> str:
        names = sorted(version.data)
        if _ONLY in names or len(names) == 1:
            return _ONLY if _ONLY in names else names[0]
        shown = ", ".join(names[:_NAMED]) or "none"
        raise SecretError(
            f"{path} in {self.name} has several fields ({shown})" if names else f"{path} has no fields",
            f"name one: {self.name}:{path}#{names[0] if names else 'field'}",
        )

    async def _read(self, path: str) -> "_Version | None":
        target = f"/v1/{_quoted(self._config.mount)}/data/{_quoted(path)}"
        used = await self._tokens.current()
        response = await self._exchange("GET", target, used)
        if response.status == 403 and (renewed := await self._tokens.another(used)) is not None:
            response = await self._exchange("GET", target, renewed)
        if response.status == 404 and _is_missing(response):  # or its newest version is deleted
            return None
        if response.status == 403:
            raise SecretError(
                f"{self.name} does not let us read {self._config.mount}/{path}",
                f"give the token's policy read on {self._config.mount}/data/{path}, or renew the token",
            )
        self._check(response)
        return _version(response, self.name)

    async def _post(self, target: str, body: Mapping[str, str]) -> Response:
        """A question that needs no token."""
        return await self._exchange("POST", target, None, msgspec.json.encode(body))

    async def _exchange(self, method: str, target: str, token: Secret | None, body: bytes = b"") -> Response:
        headers = [("accept", "application/json"), ("x-vault-request", "true")]
        if token is not None:
            headers.append(("x-vault-token", token.reveal()))
        if self._config.namespace:
            headers.append(("x-vault-namespace", self._config.namespace))
        if body:
            headers.append(("content-type", "application/json"))
        try:
            client = await self._connected()
            return await client.request(method, target, headers, body, timeout=self.timeout)
        except HttpError as error:
            raise SecretError(f"{self.name} {error.what}", "see whether it runs and can be reached") from None
        except ValueError:  # the text of that error may have the token in it
            raise SecretError(
                f"the token or namespace of {self.name} has characters that HTTP cannot carry", "correct it"
            ) from None

    async def _connected(self) -> HttpClient:
        async with self._connecting:
            if self._client is None:
                self._client = await self._made()
            return self._client

    async def _made(self) -> HttpClient:
        ca_file = self._config.ca_file
        try:
            tls = await asyncio.to_thread(_trusting, ca_file) if ca_file else None
        except (OSError, ValueError) as error:
            reason = None if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
            reason = reason or "there is no certificate in it"
            raise SecretError(
                f"{ca_file} cannot be used: {reason}", f"correct caFile of {self.name}"
            ) from None
        origin, _ = split_url(self._config.address)
        return HttpClient(origin, Limits(connections=4, queue=256, max_body=4 * MAX_BYTES), tls)

    def _check(self, response: Response) -> None:
        status = response.status
        if status == 200:
            return
        if 300 <= status < 400:
            what, fix = "wants to send us elsewhere, where we do not go", "name the active node's address"
        else:
            what, fix = _TROUBLE.get(status, (f"answered with status {status}", "see its log"))
        raise SecretError(f"{self.name} ({self._config.address}) {what}", fix)


class _Metadata(msgspec.Struct, frozen=True):
    version: int = 0


class _Data(msgspec.Struct, frozen=True):
    data: dict[str, Any] | None = None
    metadata: _Metadata = _Metadata()


class _Answer(msgspec.Struct, frozen=True):
    data: _Data
    lease_duration: float = 0


class _NotFound(msgspec.Struct, frozen=True):
    errors: list[str] | None = None
    data: _Data | None = None


@dataclass(frozen=True, slots=True)
class _Version:
    data: Mapping[str, Any] = field(repr=False)
    version: str
    lease: float | None


def _version(response: Response, name: str) -> _Version | None:
    try:
        answer = msgspec.json.decode(response.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SecretError(
            f"{name} answered what is no secret of a KV secrets engine of version 2",
            "is the mount one, and the address that of Vault?",
        ) from None
    if answer.data.data is None:
        return None
    lease = answer.lease_duration if answer.lease_duration > 0 else None
    return _Version(answer.data.data, str(answer.data.metadata.version), lease)


def _is_missing(response: Response) -> bool:
    """Whether a 404 means the secret alone: Vault has no errors then, or tells of the version that is deleted."""
    try:
        found = msgspec.json.decode(response.body, type=_NotFound)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return not found.errors if found.errors is not None else found.data is not None


def _quoted(path: str) -> str:
    return quote(path.strip("/"), safe="/")


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
