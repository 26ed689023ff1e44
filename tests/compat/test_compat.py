"""Configurations of released versions load, and mean what they meant.

A folder is a version: what its pages showed to be written, and what may stand in files of that time. `unreleased` has
what pages showed between two releases, `1mcp` what the gateway of that name and other programs write.

Nothing that stands there is ever changed; a file that no longer loads shows that somebody's does not. What is said
about a file in `golden` is what it meant then: members may be added to it later, none may change.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.golden import compare, neutral

from onemcp.config.document import Document, load
from onemcp.config.loading import load as load_with_secrets
from onemcp.config.settings import resolve
from onemcp.errors import ConfigError, Problem

HERE: Final = Path(__file__).parent
VERSIONS: Final = ("0.1.0", "1mcp", "unreleased")
ENVIRON: Final = {
    "ALERT_SECRET": "sixteen-characters",
    "API_TOKEN": "token",
    "CONTEXT7_TOKEN": "token",
    "DATABASE_URL": "postgres://db/one",
    "FILES_API_KEY": "key",
    "HANDED_ON": "handed on",
    "HOME": "/home/ada",
    "MODE": "mode",
    "OFF": "yes",
    "PROGRAM": "program",
    "SEARCH_TOKEN": "token",
    "SLACK_WEBHOOK": "https://hooks.example.com/services/T/B/X",
    "VAULT_TOKEN": "token",
}
FILES: Final = sorted(
    str(path.relative_to(HERE))
    for version in VERSIONS
    for path in (HERE / version).iterdir()
    if path.is_file()
)
FOLDER: Final = "unreleased/environments"


def said(value: Any) -> Any:
    """A value as JSON has it: sets sorted, errors as sentences, and nothing that is the same for everybody."""
    if isinstance(value, Problem):
        return str(ConfigError(value))
    if is_dataclass(value):
        return {
            each.name: said(getattr(value, each.name)) for each in fields(value) if each.name != "referred"
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(said(each) for each in value)
    if isinstance(value, list | tuple):
        return [said(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): said(each) for name, each in value.items()}
    return value


def meaning(document: Document) -> dict[str, Any]:
    """All that a document means."""
    settings = resolve({}, {}, document.settings)
    given = {name for name, origin in settings.origins.items() if origin != "default"}
    return {
        "servers": {spec.name: said(spec) for spec in document.specs},
        "settings": {name: said(getattr(settings, name)) for name in sorted(given)},
        "webhooks": said(document.alerts.webhooks),
        "rules": said(document.alerts.rules) if document.alerts.webhooks else {},
        "runbooks": document.alerts.runbooks,
    }


def kept(expected: Any, actual: Any) -> Any:
    """What there is now, without members that were added since."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {name: kept(expected[name], value) for name, value in actual.items() if name in expected}
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [kept(one, other) for one, other in zip(expected, actual, strict=True)]
    return actual


def check(name: str, document: Document) -> None:
    golden = HERE / "golden" / Path(name).with_suffix(".json")
    text = json.dumps(meaning(document), indent=1, ensure_ascii=False, sort_keys=True)
    now: Any = json.loads(neutral(text, FOLDER=HERE / Path(name).parent, TREE=HERE.parent.parent))
    if golden.exists():
        now = kept(json.loads(golden.read_text()), now)
    compare(golden, json.dumps(now, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


@pytest.mark.parametrize("name", FILES)
def test_it_loads_and_means_what_it_meant(name: str) -> None:
    check(name, load(HERE / name, ENVIRON))


@pytest.mark.parametrize("environment", ["", "production"])
def test_so_does_a_configuration_of_several_files(environment: str) -> None:
    document = load(HERE / FOLDER / "mcp.json", {}, environment=environment)
    check(f"{FOLDER}/{environment or 'base'}", document)


def test_one_with_secrets_asks_for_them_where_it_did() -> None:
    file = HERE / "unreleased" / "secrets.json"
    environ = {**ENVIRON, "ONE_MCP_SECRETS_DIR": str(HERE / "none")}
    document = asyncio.run(load_with_secrets(file, environ, resolve(environ))).document
    faults = [spec.fault.what for spec in document.specs if spec.fault is not None]
    assert len(faults) == len(document.specs)
    assert all("${SECRET:" in fault for fault in faults)


@pytest.mark.parametrize(
    ("name", "old", "new"), [("unreleased/metrics.json", "metrics.enabled", "features.metrics")]
)
def test_a_key_that_has_another_name_now_counts_and_warns(name: str, old: str, new: str) -> None:
    document = load(HERE / name, {})
    assert new in document.settings
    sentence = f"{old} is now called {new}; the old name will not be read for ever"
    assert [notice for notice in document.notices if notice.endswith(sentence)]


@pytest.mark.parametrize(
    "name", ["0.1.0/all-keys.json", "0.1.0/spellings.json", "1mcp/mcp.json", "unreleased/metrics.json"]
)
def test_a_gateway_starts_with_it_and_tells_what_it_told(name: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != "HOME"}
    document = load(HERE / name, ENVIRON)
    quiet = {spec.name: {"disabled": True} for spec in document.specs}
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "quiet.json").write_text(json.dumps({served(name): quiet}))
    config = (HERE / name).read_text()
    with GatewayProcess(config, "--enable-async-loading", folder=tmp_path, environ=environ) as gateway:
        status = json.loads(gateway.command("status", "--json").stdout)
        assert [server["name"] for server in status["servers"]] == [spec.name for spec in document.specs]
    assert gateway.process.returncode == 0
    for notice in document.notices:
        assert notice.partition(": ")[2] in gateway.stderr


def served(name: str) -> str:
    """How the file calls its servers."""
    return "servers" if '"servers"' in (HERE / name).read_text() else "mcpServers"


def test_no_file_of_a_version_is_ever_changed() -> None:
    listed = dict(line.split("  ")[::-1] for line in (HERE / "unchanged.sha256").read_text().splitlines())
    there = {
        str(path.relative_to(HERE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for version in VERSIONS
        for path in (HERE / version).rglob("*")
        if path.is_file()
    }
    assert there == listed, "add new files to unchanged.sha256; leave those that are there as they are"
