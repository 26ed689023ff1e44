"""Secrets that become others while the gateway runs: whoever uses one begins anew with it, and nobody else.

Vault is a peer that answers as Vault does (tests/support/vault.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, onemcp
from tests.support.live import Live, asked, entry, environment_of, eventually, pid_of
from tests.support.machine import PROC
from tests.support.vault import FakeVault

from onemcp.cli.control import Gateway

pytestmark = [pytest.mark.anyio, PROC.mark]

USED: Final = {
    "by-variable": "env:variable",
    "by-file": "files:file",
    "by-link": "mounted:link",
    "by-seal": "local:seal",
    "by-version": "vault:version#password",
    "by-lease": "leased:lease#password",
    "by-program": "op:program",
}
SLOW: Final = 3.0
"""Seconds for a call that is under way meanwhile."""


class Kept:
    """Every provider with one secret; `old` each in the beginning."""

    def __init__(self, folder: Path, vault: FakeVault) -> None:
        self.folder = folder
        self.vault = vault
        self._version = 0
        for name in ("files", "mounted", "op"):
            (folder / name).mkdir(parents=True)
        for name in ("file", "taken", "ticks"):
            self.put(f"files/{name}", "old")
        self.swap("old")
        (folder / "mounted" / "link").symlink_to("..data/link")
        self.put("op/program", "old")
        vault.lease = 1
        vault.put("version", {"password": "old"})
        vault.put("lease", {"password": "old"})

    def put(self, name: str, text: str | bytes) -> None:
        """A file in one step."""
        beside = self.folder / "beside"
        beside.write_bytes(text if isinstance(text, bytes) else text.encode())
        beside.rename(self.folder / name)

    def swap(self, text: str) -> None:
        """The mounted folder as Kubernetes swaps it."""
        mounted = self.folder / "mounted"
        self._version += 1
        now = mounted / f"..{self._version}"
        now.mkdir()
        (now / "link").write_text(text)
        (mounted / "..data_tmp").symlink_to(now.name)
        (mounted / "..data_tmp").rename(mounted / "..data")

    def config(self, more: dict[str, str]) -> dict[str, Any]:
        """A server for each secret, and one without any."""
        vault = {"type": "vault", "address": self.vault.address, "token": self.vault.token}
        program = ["sh", "-c", 'cat "$KEPT/$0"', "{path}"]
        users = {
            name: entry(env={"VALUE": f"${{SECRET:{reference}}}"})
            for name, reference in (USED | more).items()
        }
        return {
            "mcpServers": {"alone": entry("--delay-call", SLOW), **users},
            "secrets": {
                "cacheSeconds": 1,
                "providers": {
                    "files": {"type": "folder", "path": str(self.folder / "files")},
                    "mounted": {"type": "folder", "path": str(self.folder / "mounted")},
                    "vault": vault,
                    "leased": vault,
                    "op": {"type": "exec", "command": program, "env": {"KEPT": str(self.folder / "op")}},
                },
            },
        }


@asynccontextmanager
async def serving(folder: Path, more: dict[str, str]) -> AsyncIterator[tuple[Kept, Live]]:
    async with FakeVault() as vault:
        kept = Kept(folder / "kept", vault)
        gateway = GatewayProcess(kept.config(more), folder=folder, environ={"ONE_MCP_SECRET_VARIABLE": "old"})
        await seal(folder, "old")
        async with gateway:
            await asyncio.to_thread(gateway.wait_settled)
            yield kept, Live(gateway)


async def seal(folder: Path, text: str) -> None:
    """As a person does it, beside the gateway."""
    done = await asyncio.to_thread(onemcp, "secret", "set", "seal", folder=folder, stdin=text)
    assert done.returncode == 0, done.stderr


async def pids(live: Live, names: Iterable[str]) -> dict[str, int]:
    found = await asyncio.gather(*(asyncio.to_thread(live.pid, name) for name in names))
    return dict(zip(names, found, strict=True))


async def soon(condition: Callable[[], bool], live: Live) -> None:
    """Return when it holds; the peer goes on answering meanwhile."""
    await asyncio.to_thread(eventually, condition, live.gateway.transcript)


def standing(live: Live) -> list[str]:
    """The warnings that a secret is used as it was."""
    return [line for line in live.gateway.stderr.splitlines() if "the one from before stands" in line]


async def test_whoever_uses_a_secret_begins_anew_and_nobody_else(tmp_path: Path) -> None:
    async with serving(tmp_path, {}) as (kept, live), httpx2.AsyncClient() as http:
        message, headers = asked("alone")

        async def alone() -> int:
            return pid_of(
                await http.post(live.gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT)
            )

        under_way = asyncio.create_task(alone())
        there = await pids(live, USED)

        async def become_new(*users: str) -> None:
            """These, and nobody else, are other processes, with the secret as it is now."""
            await asyncio.gather(
                *(asyncio.to_thread(live.becomes_another, name, there[name]) for name in users)
            )
            now = await pids(live, USED)
            assert {name for name in USED if now[name] != there[name]} == set(users)
            assert {environment_of(now[name])["VALUE"] for name in users} == {"new"}
            there.update(now)

        kept.put("files/file", "new")
        await become_new("by-file")
        kept.swap("new")
        await seal(tmp_path, "new")
        await become_new("by-link", "by-seal")
        kept.vault.put("version", {"password": "new"})
        await become_new("by-version")
        kept.put("op/program", "new")
        await become_new("by-program")
        pid = await under_way
        again = asyncio.create_task(alone())
        kept.vault.put("lease", {"password": "new"})
        await become_new("by-lease")
        assert await again == pid
        assert environment_of(there["by-variable"])["VALUE"] == "old"
        told = "".join(
            line for line in live.gateway.stderr.splitlines() if "another secret than before" in line
        )
        counts = {reference: told.count(f"${{SECRET:{reference}}}") for reference in USED.values()}
        assert counts == {reference: reference != "env:variable" for reference in USED.values()}


async def test_what_cannot_be_asked_for_or_is_taken_away_stands_and_what_was_missing_starts(
    tmp_path: Path,
) -> None:
    more = {"taken": "files:taken", "ticks": "files:ticks", "waits": "files:waits"}
    kept_files = tmp_path / "kept" / "files"
    async with serving(tmp_path, more) as (kept, live):
        assert "there is no such secret" in (await asyncio.to_thread(live.gateway.command, "status")).stdout
        there = await pids(live, [*USED, "taken", "ticks"])
        (kept_files / "taken").unlink()
        kept.put("files/file", b"\xff\xfe")
        kept.vault.trouble = 503
        (kept.folder / "op" / "program").unlink()
        failing = ("by-file", "by-version", "by-lease", "by-program", "taken")
        await soon(lambda: len(standing(live)) >= len(failing), live)
        kept.put("files/ticks", "new")  # as soon as that is noticed, all files were looked at once more
        kept.put("files/waits", "here")
        await asyncio.to_thread(live.becomes_another, "ticks", there["ticks"])
        await soon(lambda: "${SECRET:files:waits}; the servers that use it" in live.gateway.stderr, live)
        assert environment_of(await asyncio.to_thread(live.pid, "waits"))["VALUE"] == "here"
        assert await pids(live, failing) == {name: there[name] for name in failing}
        assert len(standing(live)) == len(failing)
        kept.vault.trouble = 0
        await asyncio.to_thread(Gateway(live.gateway.state_dir).reload)
        status = (await asyncio.to_thread(live.gateway.command, "status")).stdout
        assert "${SECRET:files:taken}: there is no such secret" in status
        others = [name for name in USED if name not in failing]
        assert await pids(live, others) == {name: there[name] for name in others}


async def test_a_secret_that_makes_the_configuration_faulty_is_not_taken_and_told_until_it_is_mended(
    tmp_path: Path,
) -> None:
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "sign"
    secret.write_text("s" * 32)
    config = {
        "mcpServers": {},
        "secrets": {"providers": {"files": {"type": "folder", "path": "secrets"}}},
        "alerts": {
            "webhooks": [{"url": "http://127.0.0.1:9/x", "allowPrivate": True, "secret": "${SECRET:sign}"}]
        },
    }
    async with GatewayProcess(config, folder=tmp_path) as gateway, httpx2.AsyncClient() as http:

        async def reload_error() -> str:
            health = (await http.get(f"{gateway.base}/health")).json()
            return str(health["configuration"].get("lastReloadError", ""))

        secret.write_text("short")
        async with asyncio.timeout(WAIT_LIMIT):
            while "shorter than 16" not in await reload_error():
                await asyncio.sleep(0.05)
        good = gateway.config_file.read_text()
        gateway.config_file.write_text("{")
        async with asyncio.timeout(WAIT_LIMIT):
            while "the text ends" not in await reload_error():
                await asyncio.sleep(0.05)
        secret.write_text("t" * 32)
        await asyncio.to_thread(gateway.wait_for_output, "another secret than before")
        assert "the text ends" in await reload_error()
        gateway.config_file.write_text(good)
        async with asyncio.timeout(WAIT_LIMIT):
            while await reload_error():
                await asyncio.sleep(0.05)
        errors = [line for line in gateway.stderr.splitlines() if " ERROR " in line]
        assert len([line for line in errors if "cannot be used; the ones before stay" in line]) == 1
