"""`1mcp config check`: everything that is wrong, without starting anything."""

import json
from pathlib import Path
from typing import Final

import pytest
from tests.support.gateway import onemcp
from tests.support.golden import compare

GOLDEN: Final = Path(__file__).parent / "golden"
FAULTY: Final = """{
  "mcpServers": {
    "files": { "comand": "x" },
    "db": { "command": "db", "env": { "URL": "${NOT_SET}", "KEY": "${SECRET:db}" } },
    "web": { "command": "x", "url": "http://h" },
    "off": { "disabled": true }
  },
  "port": "http",
  "loging": { "level": "info" },
}
"""


def write(folder: Path, text: str, name: str = "mcp.json") -> None:
    (folder / name).write_text(text)


def test_a_good_configuration_is_fine(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {"a": {"command": "x"}}}')
    done = onemcp("config", "check", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "mcp.json is fine: 1 server\n", "")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, FAULTY)
    environ = {"ONE_MCP_LOG_LEVEL": "loud"}
    done = onemcp("config", "check", "--page-size", "0", folder=tmp_path, environ=environ)
    assert (done.returncode, done.stderr) == (78, "")
    compare(GOLDEN / "check_faulty.txt", done.stdout)


def test_the_same_as_json(tmp_path: Path) -> None:
    write(tmp_path, FAULTY)
    done = onemcp("config", "check", "--json", folder=tmp_path)
    answer = json.loads(done.stdout)
    assert done.returncode == 78
    assert answer["file"] == "mcp.json"
    assert answer["problems"][0] == {
        "what": "unknown key",
        "fix": "did you mean command?",
        "file": "mcp.json",
        "line": 3,
        "column": 16,
        "key": "mcpServers.files.comand",
    }
    assert len(answer["problems"]) == 5


def test_every_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {')
    (tmp_path / "conf.d").mkdir()
    write(tmp_path, "a: [", "conf.d/10.yaml")
    done = onemcp("config", "check", folder=tmp_path)
    assert done.returncode == 78
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "conf.d/10.yaml",
        "mcp.json",
        "2 problems",
    ]


def test_notices_are_warnings_and_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {"a": {"command": "x", "autoApprove": [], "timeout": 5}}}')
    done = onemcp("config", "check", folder=tmp_path, environ={"ONE_MCP_PROT": "1"})
    assert done.returncode == 0
    compare(GOLDEN / "check_warnings.txt", done.stdout)


def test_an_environment_is_laid_over_it(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {"a": {"command": "x"}}}')
    write(tmp_path, '{"port": "x"}', "mcp.production.json")
    assert onemcp("config", "check", folder=tmp_path).returncode == 0
    done = onemcp("config", "check", "--environment", "production", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout.startswith("mcp.production.json:1:10: port: x is not a whole number")
    done = onemcp("config", "check", folder=tmp_path, environ={"ONE_MCP_ENVIRONMENT": "prodution"})
    assert "did you mean production?" in done.stdout


def test_secrets_are_asked_for_only_if_somebody_says_so(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {"a": {"command": "x", "env": {"K": "${SECRET:db-password}"}}}}')
    assert onemcp("config", "check", folder=tmp_path).returncode == 0
    done = onemcp("config", "check", "--secrets", folder=tmp_path)
    assert done.returncode == 78
    assert "mcpServers.a.env.K: ${SECRET:db-password}" in done.stdout
    environ = {"ONE_MCP_SECRET_DB_PASSWORD": "c4n4ry"}
    done = onemcp("config", "check", "--secrets", folder=tmp_path, environ=environ)
    assert (done.returncode, done.stdout) == (0, "mcp.json is fine: 1 server\n")


@pytest.mark.parametrize("place", ['"url": "https://${SECRET:host}:${SECRET:port}/mcp"', '"command": "x", "disabled": "${SECRET:x}"'])  # fmt: skip
def test_a_value_that_depends_on_a_secret_is_not_held_against_anybody(place: str, tmp_path: Path) -> None:
    write(tmp_path, f'{{"mcpServers": {{"a": {{{place}}}}}}}')
    done = onemcp("config", "check", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "mcp.json is fine: 1 server\n")


@pytest.mark.parametrize("place", ['"port": "${SECRET:x}"', '"alerts": {"runbooks": "https://${SECRET:x}"}'])
def test_a_secret_where_everybody_would_see_it_is_told(place: str, tmp_path: Path) -> None:
    write(tmp_path, f'{{"mcpServers": {{}}, {place}}}')
    done = onemcp("config", "check", folder=tmp_path)
    assert (done.returncode, "a secret cannot stand here" in done.stdout) == (78, True)


def test_what_the_start_would_refuse_is_told(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {}, "host": "0.0.0.0"}')
    done = onemcp("config", "check", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout.startswith("host: binding 0.0.0.0 would let everybody")
    assert onemcp("config", "check", "--allow-unauthenticated", folder=tmp_path).returncode == 0
    write(tmp_path, '{"mcpServers": {}, "trustProxy": ["nonsense"]}')
    done = onemcp("config", "check", folder=tmp_path)
    assert (done.returncode, "nonsense is no proxy to trust" in done.stdout) == (78, True)


def test_options_count_as_they_do_at_the_start(tmp_path: Path) -> None:
    write(tmp_path, '{"mcpServers": {}}', "other.json")
    done = onemcp("config", "check", "--config", "other.json", "--port", "70000", folder=tmp_path)
    assert done.returncode == 78
    assert done.stdout.splitlines()[0] == "--port: 70000 is not a whole number from 0 to 65535"
