"""What is imported, and when: the start is a budget, and so is a command that only asks."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, environment
from tests.support.scripted import command

DEAR: Final = ("aiohttp", "click", "httpx", "httpx2", "mcp", "pydantic", "rich", "starlette", "uvicorn")
"""Nothing of the gateway needs these; the tests have them installed beside it."""

_LIST: Final = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def imported(statement: str, folder: Path) -> set[str]:
    """The modules that a fresh interpreter has after a statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {_LIST}"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_LIMIT,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def those_of(names: Iterable[str], modules: set[str]) -> list[str]:
    """Which of these packages, or anything inside them, are there."""
    return [name for name in names if any(f"{module}.".startswith(f"{name}.") for module in modules)]


def test_a_bare_start_imports_no_framework(tmp_path: Path) -> None:
    modules = imported("import onemcp.__main__, onemcp.cli.serve", tmp_path)
    assert "onemcp.app" in modules
    assert those_of(DEAR, modules) == []


def test_rooms_that_not_everybody_enters_are_imported_when_they_are(tmp_path: Path) -> None:
    modules = imported("import onemcp.__main__, onemcp.cli.serve", tmp_path)
    rooms = ("onemcp.upstream.http", "onemcp.upstream.sse", "onemcp.net.http1", "onemcp.cli.control")
    assert those_of((*rooms, "onemcp.ops.metrics.exposition", "prometheus_client"), modules) == []


@pytest.mark.parametrize("verb", ["status", "inspect", "run", "connect"])
def test_a_command_that_only_asks_pays_for_no_gateway(tmp_path: Path, verb: str) -> None:
    modules = imported(f"import onemcp.__main__, onemcp.cli.{verb}", tmp_path)
    gateway = ("onemcp.app", "onemcp.gateway", "onemcp.web", "onemcp.upstream", "onemcp.seal")
    assert those_of((*gateway, "uvloop", "cryptography", *DEAR), modules) == []


def test_a_gateway_that_has_served_a_child_has_no_framework_either(tmp_path: Path) -> None:
    config = {"mcpServers": {"a": {"command": command()}}}
    environ = {"PYTHONPROFILEIMPORTTIME": "1"}
    with GatewayProcess(config, folder=tmp_path, environ=environ) as gateway:
        gateway.wait_settled()
        assert gateway.command("run", "a/echo").returncode == 0
        assert gateway.stop() == 0
        lines = [
            line.rpartition("|")[2].strip() for line in gateway.stderr.splitlines() if "import time:" in line
        ]
    assert "onemcp.app" in lines
    assert those_of(DEAR, set(lines)) == []


@pytest.mark.parametrize(("name", "own"), [("mcp.json", ""), ("mcp.yaml", "yaml"), ("mcp.toml", "tomllib")])
def test_a_configuration_pays_for_its_own_format_only(tmp_path: Path, name: str, own: str) -> None:
    texts = {"": '{"mcpServers": {}}', "yaml": "mcpServers: {}", "tomllib": "[mcpServers]"}
    (tmp_path / name).write_text(texts[own])
    load = f"from pathlib import Path; from onemcp.config.document import load; load(Path({name!r}), {{}})"
    modules = imported(f"import onemcp.cli.serve; {load}", tmp_path)
    assert those_of(("yaml", "tomllib"), modules) == [own] * bool(own)
    readers = {"yaml": "onemcp.config.yaml_text", "tomllib": "onemcp.config.toml_text"}
    assert those_of(readers.values(), modules) == ([readers[own]] if own else [])
