"""A small peer that answers as HashiCorp Vault does where the gateway asks it; not Vault itself.

Faithful in paths, headers, statuses and the shapes of JSON, by Vault's API documentation: KV version 2 (versions,
deletion), the login of the auth method `kubernetes`, tokens that end, namespaces, and the answers of a Vault that
forbids, limits, is sealed, stands by or is slow. It knows no policies, no leases of its own and no other engine.

    async with FakeVault() as vault:
        vault.put("db", {"password": "..."})
        ... vault.address, vault.token, vault.peer.requests
"""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from tests.support.http_peer import Peer, Received, Wire


def _response(status: int, body: dict[str, Any], more: str = "") -> bytes:
    data = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n{more}\r\n"
    )
    return head.encode() + data


class FakeVault:
    """Keeps secrets by path, under the mount `secret`."""

    def __init__(self, *, namespace: str = "", role: str = "onemcp", account: str = "jwt-of-the-pod") -> None:
        self.secrets: dict[str, list[dict[str, Any] | None]] = {}
        """The versions of each; None for one that is deleted."""
        self.tokens = {"root-token"}
        self.token = "root-token"
        self.trouble = 0
        """A status that every question gets instead of its answer."""
        self.location = ""
        self.slow: asyncio.Event | None = None
        """Answers wait for it."""
        self.lease = 0
        self.login_lease = 3600
        self.logins = 0
        self.peer = Peer(self._answer)
        self._namespace, self._role, self._account = namespace, role, account

    async def __aenter__(self) -> Self:
        await self.peer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.peer.__aexit__(kind, error, trace)

    @property
    def address(self) -> str:
        """As in a configuration."""
        return f"http://127.0.0.1:{self.peer.port}"

    @property
    def reads(self) -> int:
        """How often a secret was asked for."""
        return sum(request.method == "GET" for request in self.peer.requests)

    def put(self, path: str, data: dict[str, Any]) -> None:
        """A new version."""
        self.secrets.setdefault(path, []).append(data)

    def delete(self, path: str) -> None:
        """Delete the newest version, as `vault kv delete` does."""
        self.secrets[path][-1] = None

    def expire(self) -> None:
        """No token is good any more."""
        self.tokens.clear()

    async def _answer(self, request: Received, wire: Wire) -> None:
        if self.slow is not None:
            await self.slow.wait()
        await wire.send(self._decide(request))

    def _decide(self, request: Received) -> bytes:
        if self.trouble:
            more = f"location: {self.location}\r\n" if self.location else ""
            return _response(self.trouble, {"errors": ["trouble"]}, more)
        if request.headers.get("x-vault-namespace", "") != self._namespace:
            return _response(404, {"errors": ["no handler for route"]})
        if request.target == "/v1/auth/kubernetes/login" and request.method == "POST":
            return self._login(json.loads(request.body))
        if request.headers.get("x-vault-token") not in self.tokens:
            return _response(403, {"errors": ["permission denied"]})
        return self._read(request.target)

    def _login(self, said: dict[str, str]) -> bytes:
        self.logins += 1
        if said != {"role": self._role, "jwt": self._account}:
            return _response(403, {"errors": ["permission denied"]})
        token = f"login-token-{self.logins}"
        self.tokens.add(token)
        return _response(
            200, {"auth": {"client_token": token, "lease_duration": self.login_lease, "renewable": True}}
        )

    def _read(self, target: str) -> bytes:
        versions = self.secrets.get(target.removeprefix("/v1/secret/data/"))
        if not target.startswith("/v1/secret/data/") or not versions:
            return _response(404, {"errors": []})
        metadata = {"version": len(versions), "destroyed": False, "deletion_time": ""}
        if versions[-1] is None:
            metadata["deletion_time"] = "2026-01-31T12:00:00Z"
            return _response(404, {"data": {"data": None, "metadata": metadata}})
        body = {"data": {"data": versions[-1], "metadata": metadata}, "lease_duration": self.lease}
        return _response(200, {"request_id": "1", "renewable": False, **body})
