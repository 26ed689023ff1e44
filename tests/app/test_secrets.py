"""The secrets in force."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from onemcp.app.secrets import Secrets
from onemcp.config.document import Draft, draft
from onemcp.config.loading import load
from onemcp.config.secrets.reference import Reference, parse
from onemcp.config.secrets.secret import Secret
from onemcp.config.settings import resolve

pytestmark = pytest.mark.anyio

A, B = parse("a"), parse("b")


def write(folder: Path, cache: int = 300) -> Path:
    (folder / "s").mkdir(exist_ok=True)
    path = folder / "mcp.json"
    section: dict[str, Any] = {
        "providers": {"files": {"type": "folder", "path": "s"}},
        "chain": ["files"],
        "cacheSeconds": cache,
    }
    entry = {"command": "true", "env": {"A": "${SECRET:a}", "B": "${SECRET:b}"}}
    path.write_text(json.dumps({"mcpServers": {"x": entry}, "secrets": section}))
    return path


@asynccontextmanager
async def in_force(folder: Path) -> AsyncIterator[Secrets]:
    secrets = Secrets(await load(write(folder), {}, resolve({})), {})
    try:
        yield secrets
    finally:
        await secrets.chain.aclose()


async def asked_again(secrets: Secrets) -> frozenset[Reference]:
    """As `refresh` finds it when everything is due."""
    await secrets.chain.resolve([A, B], fresh=True)
    return await secrets.refresh()


async def test_only_what_is_another_now_is_told(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("1")
    (tmp_path / "s" / "b").write_text("2")
    async with in_force(tmp_path) as secrets:
        assert await asked_again(secrets) == frozenset()
        (tmp_path / "s" / "a").write_text("3")
        assert await asked_again(secrets) == {A}
        outcomes = secrets.renewed({A})
        assert outcomes == {A: Secret("3"), B: Secret("2")}


async def test_what_was_looked_at_without_coming_into_force_is_still_a_change(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("1")
    async with in_force(tmp_path) as secrets:
        (tmp_path / "s" / "a").write_text("2")
        await secrets.chain.resolve([A], fresh=True)  # as a reload does that is refused in the end
        secrets.forget_others()
        assert await secrets.refresh() == {A}


async def test_one_that_is_gone_stays_and_one_that_comes_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("1")
    async with in_force(tmp_path) as secrets:
        (tmp_path / "s" / "a").unlink()
        (tmp_path / "s" / "b").write_text("2")
        rotated = await asked_again(secrets)
        assert rotated == {B}
        assert secrets.renewed(rotated) == {A: Secret("1"), B: Secret("2")}


async def test_a_configuration_that_says_the_same_about_secrets_keeps_the_chain(tmp_path: Path) -> None:
    async with in_force(tmp_path) as secrets:
        same: Draft = draft(write(tmp_path), {})
        assert secrets.chain_for(same) is secrets.chain
        other = draft(write(tmp_path, cache=9), {})
        chain = secrets.chain_for(other)
        assert chain is not secrets.chain
        await secrets.adopt(other, chain, await chain.resolve(other.references))
        assert secrets.chain is chain
        assert secrets.chain_for(draft(write(tmp_path, cache=9), {})) is chain
