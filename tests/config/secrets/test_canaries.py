"""A canary in every provider, and a search of everything that is said on the way: errors, logs, what is printed."""

import logging
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.vault import FakeVault

from onemcp.config.secrets.command import CommandConfig
from onemcp.config.secrets.environment import EnvironmentConfig
from onemcp.config.secrets.folder import FolderConfig
from onemcp.config.secrets.opening import opened
from onemcp.config.secrets.provider import SecretError
from onemcp.config.secrets.reference import parse
from onemcp.config.secrets.sealed import SealedConfig, vessel
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.section import SecretsConfig
from onemcp.config.secrets.vault_config import Token, VaultConfig
from onemcp.errors import Problem

pytestmark = pytest.mark.anyio

CANARY = "canarybird"
"""Looks like a word: nothing that only knows what credentials look like would hide it."""
PROVIDERS = ("env", "files", "local", "vault", "op")


@dataclass
class Kept:
    """Every provider with a canary under `a`, and what to break about each."""

    folder: Path
    vault: FakeVault
    environ: dict[str, str]
    config: SecretsConfig


def kept(folder: Path, vault: FakeVault) -> Kept:
    environ = {"ONE_MCP_SECRET_A": CANARY, "HOME": str(folder), "PATH": os.environ["PATH"]}
    (folder / "files").mkdir()
    (folder / "files" / "a").write_text(CANARY)
    vessel(environ).set("a", Secret(CANARY), "2026-01-31T12:00:00Z")
    vault.put("a", {"value": CANARY})
    code = "import os, sys; c = os.environ['C']; print(c); sys.exit(c if sys.argv[1] == 'broken' else 0)"
    config = SecretsConfig(
        {
            "env": EnvironmentConfig(),
            "files": FolderConfig(str(folder / "files")),
            "local": SealedConfig(),
            "vault": VaultConfig(vault.address, Token(Secret(vault.token))),
            "op": CommandConfig((sys.executable, "-c", code, "{path}"), (("C", CANARY),)),
        },
        PROVIDERS,
    )
    return Kept(folder, vault, environ, config)


def spoil(there: Kept) -> None:
    """Make each provider fail in a way that has the canary at hand."""
    (there.folder / "files" / "a").write_bytes(CANARY.encode() + b"\xff")
    sealed = vessel(there.environ).path
    sealed.write_text(sealed.read_text().replace('"version": 1', '"version": 2'))
    there.vault.secrets["a"] = [{"value": {"inner": CANARY}}]
    there.environ["ONE_MCP_SECRET_A"] = CANARY + "\udcff"


async def test_nothing_that_is_said_has_a_canary_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    said = []
    caplog.set_level(logging.DEBUG)
    async with FakeVault() as vault:
        there = kept(tmp_path, vault)
        async with opened(there.config, there.environ) as chain:
            references = [parse(f"{name}:a") for name in PROVIDERS]
            outcomes = await chain.resolve(references)
            assert [one.reveal() for one in outcomes.values() if isinstance(one, Secret)] == [CANARY] * 5
            said += [
                repr(outcomes),
                repr(chain.known()),
                str(chain.notices),
                repr(there.config),
                repr(references),
            ]
        spoil(there)
        async with opened(there.config, there.environ) as chain:
            broken = [parse(f"{name}:a") for name in PROVIDERS[:4]]
            broken += [parse("op:broken"), *(parse(f"{name}:a#field") for name in PROVIDERS)]
            outcomes = await chain.resolve(broken)
            problems = [one for one in outcomes.values() if isinstance(one, Problem)]
            assert len(problems) == len(broken)
            said += [repr(outcomes), repr(chain.known()), *map(str, problems)]
    printed = capfd.readouterr()
    assert CANARY not in "".join([*said, caplog.text, printed.out, printed.err])


async def test_a_traceback_of_any_failure_has_none_either(tmp_path: Path) -> None:
    async with FakeVault() as vault:
        there = kept(tmp_path, vault)
        spoil(there)
        async with opened(there.config, there.environ) as chain:
            for name in PROVIDERS:
                provider = chain._providers[name]
                with pytest.raises(SecretError) as caught:
                    await provider.get("broken" if name == "op" else "a", "")
                assert CANARY not in "".join(traceback.format_exception(caught.value))
