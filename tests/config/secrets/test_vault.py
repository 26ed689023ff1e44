"""Vault, against a small peer that answers as it does (tests/support/vault.py)."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.support.http_peer import Peer, Received, Wire
from tests.support.vault import FakeVault

from onemcp.config.secrets.provider import Found, SecretError
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vault import Vault
from onemcp.config.secrets.vault_config import Kubernetes, Token, VaultConfig

pytestmark = pytest.mark.anyio


def provider(vault: FakeVault, token: Token | Kubernetes | None = None, namespace: str = "") -> Vault:
    token = token or Token(Secret(vault.token))
    return Vault("vault", VaultConfig(vault.address, token, namespace=namespace, timeout=5))


def text(found: Found | None) -> str | None:
    return found.secret.reveal() if found is not None else None


async def refused(asked: Awaitable[Found | None]) -> str:
    with pytest.raises(SecretError) as caught:
        await asked
    return str(caught.value)


async def test_a_field_of_the_newest_version_is_read() -> None:
    async with FakeVault() as vault:
        vault.put("team/db", {"password": "one", "port": 5432})
        vault.put("team/db", {"password": "two", "port": 5432})
        asked = provider(vault)
        found = await asked.get("team/db", "password")
        assert found is not None
        assert (found.secret.reveal(), found.version, found.lease) == ("two", "2", None)
        assert text(await asked.get("team/db", "port")) == "5432"
        assert await asked.get("team/db", "none") is None
        await asked.aclose()


async def test_without_a_field_it_is_value_or_the_only_one() -> None:
    async with FakeVault() as vault:
        vault.put("one", {"token": "t"})
        vault.put("more", {"value": "v", "other": "o"})
        vault.put("two", {"b": "canary", "a": "canary"})
        asked = provider(vault)
        assert text(await asked.get("one", "")) == "t"
        assert text(await asked.get("more", "")) == "v"
        assert (
            await refused(asked.get("two", ""))
            == "two in vault has several fields (a, b); name one: vault:two#a"
        )
        await asked.aclose()


async def test_what_is_not_there_or_deleted_is_no_error() -> None:
    async with FakeVault() as vault:
        vault.put("gone", {"value": "v"})
        vault.delete("gone")
        asked = provider(vault)
        assert await asked.get("none", "") is None
        assert await asked.get("gone", "") is None
        await asked.aclose()


async def test_a_path_with_strange_characters_stays_one_path() -> None:
    async with FakeVault() as vault:
        asked = provider(vault)
        assert await asked.get("a b?c%2F", "") is None
        assert vault.peer.requests[0].target == "/v1/secret/data/a%20b%3Fc%252F"
        for path in ("../sys/seal", "a/../b", "a//b", "/a"):
            assert "is no path in vault" in await refused(asked.get(path, ""))
        assert vault.reads == 1
        await asked.aclose()


async def test_fields_that_are_asked_for_together_are_of_one_version() -> None:
    async with FakeVault() as vault:
        vault.put("db", {"user": "u", "password": "p"})
        asked = provider(vault)
        found = await asyncio.gather(asked.get("db", "user"), asked.get("db", "password"))
        assert [text(one) for one in found] == ["u", "p"]
        assert vault.reads == 1
        await asked.aclose()


async def test_the_namespace_is_sent() -> None:
    async with FakeVault(namespace="team") as vault:
        vault.put("a", {"value": "v"})
        asked, other = provider(vault, namespace="team"), provider(vault)
        assert text(await asked.get("a", "")) == "v"
        assert "knows no such mount or namespace" in await refused(other.get("a", ""))
        await asked.aclose()
        await other.aclose()


@pytest.mark.parametrize("body", [b"<h1>Not Found</h1>", b'{"message": "no such page"}', b"[]", b"\xff", b""])
async def test_a_404_of_something_else_does_not_mean_that_there_is_no_secret(body: bytes) -> None:
    async def answer(request: Received, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 404 X\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    async with Peer(answer) as peer:
        asked = Vault("vault", VaultConfig(f"http://127.0.0.1:{peer.port}", Token(Secret("t")), timeout=5))
        assert "is the address that of Vault?" in await refused(asked.get("a", ""))
        await asked.aclose()


async def test_a_login_with_the_service_account_gets_a_token_once(tmp_path: Path) -> None:
    account = tmp_path / "token"
    account.write_text("jwt-of-the-pod\n")
    async with FakeVault() as vault:
        for name in ("a", "b", "c"):
            vault.put(name, {"value": name})
        asked = provider(vault, Kubernetes("onemcp", file=str(account)))
        found = await asyncio.gather(*(asked.get(name, "") for name in ("a", "b", "c")))
        assert [text(one) for one in found] == ["a", "b", "c"]
        assert vault.logins == 1
        await asked.aclose()


async def test_a_token_that_ended_is_replaced_by_one_login(tmp_path: Path) -> None:
    account = tmp_path / "token"
    account.write_text("jwt-of-the-pod")
    async with FakeVault() as vault:
        vault.put("a", {"value": "v"})
        asked = provider(vault, Kubernetes("onemcp", file=str(account)))
        await asked.get("a", "")
        vault.expire()
        assert text(await asked.get("a", "")) == "v"
        assert vault.logins == 2
        await asked.aclose()


async def test_a_token_is_not_used_to_the_end_of_its_life(tmp_path: Path) -> None:
    account = tmp_path / "token"
    account.write_text("jwt-of-the-pod")
    async with FakeVault() as vault:
        vault.put("a", {"value": "v"})
        vault.login_lease = 1
        asked = provider(vault, Kubernetes("onemcp", file=str(account)))
        await asked.get("a", "")
        async with asyncio.timeout(10):
            while vault.logins < 2:
                await asked.get("a", "")
                await asyncio.sleep(0.05)
        assert not any(b"permission" in request.body for request in vault.peer.requests)
        await asked.aclose()


async def test_a_refused_login_is_told_without_the_token_of_the_account(tmp_path: Path) -> None:
    account = tmp_path / "token"
    account.write_text("canary-account")
    async with FakeVault() as vault:
        asked = provider(vault, Kubernetes("onemcp", file=str(account)))
        sentence = await refused(asked.get("a", ""))
        assert sentence.startswith("Vault refuses the login as onemcp with status 403; see the role at ")
        assert "canary" not in sentence
        await asked.aclose()


async def test_a_token_in_a_file_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("root-token\n")
    async with FakeVault() as vault:
        vault.put("a", {"value": "v"})
        asked = provider(vault, Token(file=str(file)))
        assert text(await asked.get("a", "")) == "v"
        vault.tokens = {"next-token"}
        file.write_text("next-token\n")
        assert text(await asked.get("a", "")) == "v"
        await asked.aclose()


async def test_a_refused_token_is_told_and_not_tried_again() -> None:
    async with FakeVault() as vault:
        asked = provider(vault, Token(Secret("canary-token")))
        assert await refused(asked.get("db", "")) == (
            "vault does not let us read secret/db;"
            " give the token's policy read on secret/data/db, or renew the token"
        )
        assert vault.reads == 1
        await asked.aclose()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "does not understand the question; is the mount a KV"),
        (429, "is asked too much"),
        (473, "is a standby"),
        (500, "answered with status 500"),
        (501, "is not initialised"),
        (503, "is sealed, or down for maintenance; unseal it"),
    ],
)
async def test_a_vault_in_trouble_is_told_as_it_is(status: int, words: str) -> None:
    async with FakeVault() as vault:
        vault.trouble = status
        asked = provider(vault)
        assert words in await refused(asked.get("a", ""))
        await asked.aclose()


async def test_a_redirect_carries_the_token_nowhere() -> None:
    async with FakeVault() as vault, FakeVault() as elsewhere:
        vault.trouble, vault.location = 307, elsewhere.address + "/v1/secret/data/a"
        asked = provider(vault)
        assert "wants to send us elsewhere" in await refused(asked.get("a", ""))
        assert not elsewhere.peer.requests
        await asked.aclose()


async def test_one_that_is_not_there_is_told() -> None:
    async with FakeVault() as vault:
        address = vault.address
    asked = Vault("vault", VaultConfig(address, Token(Secret("t"))))
    assert await refused(asked.get("a", "")) == (
        f"vault ({address}) refuses connections; see whether it runs and can be reached"
    )
    await asked.aclose()


async def test_a_token_that_no_header_can_carry_is_not_repeated() -> None:
    async with FakeVault() as vault:
        asked = provider(vault, Token(Secret("canary\ntoken")))
        assert "canary" not in await refused(asked.get("a", ""))
        await asked.aclose()


async def test_a_certificate_authority_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    for name, why in (("ca.pem", "there is no certificate in it"), ("none.pem", "No such file")):
        config = VaultConfig("https://127.0.0.1:1", Token(Secret("t")), ca_file=str(tmp_path / name))
        asked = Vault("vault", config)
        assert why in await refused(asked.get("a", ""))
        await asked.aclose()


async def test_a_lease_is_told() -> None:
    async with FakeVault() as vault:
        vault.lease = 60
        vault.put("a", {"value": "v"})
        asked = provider(vault)
        found = await asked.get("a", "")
        assert found is not None
        assert found.lease == 60
        await asked.aclose()
