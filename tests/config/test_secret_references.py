"""Secrets in a configuration: who gets them, whom a missing one spoils, and where none may show."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onemcp.config.document import Document, draft
from onemcp.config.secrets.opening import opened
from onemcp.core.plan import plan
from onemcp.core.secrets import Redactor, literals_of
from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec
from onemcp.errors import ConfigError

pytestmark = pytest.mark.anyio

CANARY = "canarybird"


async def loaded(
    folder: Path, members: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Document:
    path = folder / "mcp.json"
    path.write_text(json.dumps(members))
    read = draft(path, environ or {})
    async with opened(read.secrets, environ or {}) as chain:
        return read.document(secrets=await chain.resolve(read.references))


def kept(folder: Path, **secrets: str) -> dict[str, Any]:
    """The section for a folder with these."""
    (folder / "secrets").mkdir(exist_ok=True)
    for name, value in secrets.items():
        (folder / "secrets" / name).write_text(value + "\n")
    return {"providers": {"files": {"type": "folder", "path": "secrets"}}}


def servers(**env: str) -> dict[str, Any]:
    return {name: {"command": "true", "env": {"TOKEN": value}} for name, value in env.items()}


def token(spec: UpstreamSpec) -> str:
    assert isinstance(spec.transport, StdioTransport)
    return dict(spec.transport.env)["TOKEN"]


async def test_a_secret_reaches_the_entry_that_refers_to_it_and_no_other(tmp_path: Path) -> None:
    config = {"mcpServers": servers(a="${SECRET:key}", b="none"), "secrets": kept(tmp_path, key=CANARY)}
    a, b = (await loaded(tmp_path, config)).specs
    assert token(a) == CANARY
    assert CANARY not in repr(b)
    assert Redactor(literals_of(a, {}))(f"refused {CANARY}") == "refused ***"


async def test_it_stands_anywhere_in_a_value(tmp_path: Path) -> None:
    server = {"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer ${SECRET:files:key}"}}
    config = {"mcpServers": {"a": server}, "secrets": kept(tmp_path, key=CANARY)}
    (spec,) = (await loaded(tmp_path, config)).specs
    assert isinstance(spec.transport, HttpTransport)
    assert spec.transport.headers == (("Authorization", f"Bearer {CANARY}"),)


async def test_a_secret_is_hidden_though_it_looks_like_a_common_word_or_a_path(tmp_path: Path) -> None:
    config = {
        "mcpServers": {"a": {"command": "true", "args": ["x", "${SECRET:key}"]}},
        "secrets": kept(tmp_path, key="/etc/canary"),
    }
    (spec,) = (await loaded(tmp_path, config)).specs
    assert Redactor(literals_of(spec, {}))("opened /etc/canary") == "opened ***"


async def test_a_missing_secret_spoils_only_who_needs_it(tmp_path: Path) -> None:
    config = {
        "mcpServers": servers(a="${SECRET:key}", b="${SECRET:gone}"),
        "secrets": kept(tmp_path, key="v"),
    }
    a, b = (await loaded(tmp_path, config)).specs
    assert a.fault is None
    assert b.fault is not None
    assert b.fault.what == "${SECRET:gone}: there is no such secret (asked: env, files, local)"
    assert (b.fault.key, b.fault.line) == ("mcpServers.b.env.TOKEN", 1)


async def test_a_fault_of_the_value_does_not_tell_it(tmp_path: Path) -> None:
    for server in (
        {"command": "true", "cwd": "/nowhere/${SECRET:key}"},
        {"url": "https://x:${SECRET:key}/mcp"},
        {"command": "true", "disabled": "${SECRET:key}"},
    ):
        config = {"mcpServers": {"a": server}, "secrets": kept(tmp_path, key=CANARY)}
        (spec,) = (await loaded(tmp_path, config)).specs
        assert spec.fault is not None
        assert CANARY not in str(spec.fault)


async def test_a_rotated_secret_restarts_only_its_users(tmp_path: Path) -> None:
    config = {
        "mcpServers": servers(a="${SECRET:one}", b="${SECRET:two}", c="plain"),
        "secrets": kept(tmp_path, one="1", two="2"),
    }
    before = (await loaded(tmp_path, config)).specs
    kept(tmp_path, one="new")
    after = (await loaded(tmp_path, config)).specs
    steps = plan(before, after)
    assert [spec.name for spec in steps.replace] == ["a"]
    assert [spec.name for spec in steps.keep] == ["b", "c"]


async def test_a_secret_with_references_in_it_is_not_expanded_again(tmp_path: Path) -> None:
    config = {"mcpServers": servers(a="${SECRET:key}"), "secrets": kept(tmp_path, key="${HOME}${SECRET:key}")}
    (spec,) = (await loaded(tmp_path, config, {"HOME": "/home/ada"})).specs
    assert token(spec) == "${HOME}${SECRET:key}"


async def test_a_mistake_in_the_section_is_one_of_the_document(tmp_path: Path) -> None:
    config = {"mcpServers": servers(a="${SECRET:key}"), "secrets": {"chain": ["vualt"]}}
    with pytest.raises(ConfigError, match=r"secrets.chain\[0\]: there is no provider vualt"):
        await loaded(tmp_path, config)


async def test_a_spec_shows_no_secret_wherever_it_is_printed(tmp_path: Path) -> None:
    reference = "${SECRET:key}"
    entries = {
        "a": {"command": ["true", reference], "args": [reference], "env": {"A": reference}},
        "b": {"url": f"https://h/{reference}", "headers": {"A": reference}},
    }
    found = await loaded(tmp_path, {"mcpServers": entries, "secrets": kept(tmp_path, key=CANARY)})
    assert [spec.fault for spec in found.specs] == [None, None]
    assert CANARY not in repr(found) + str(found.specs)
