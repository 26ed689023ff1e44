"""`1mcp server list`: what there is, as it is written, and nothing secret."""

import json
from pathlib import Path

from tests.support.gateway import onemcp

TEXT = """{
  "templates": { "t": { "command": ["npx", "-y"], "parameters": { "root": null } } },
  "mcpServers": {
    "files": { "extend": "t", "parameters": { "root": "/a b" }, "args": ["${param:root}", "${ROOT:-x}"], "tags": ["web", "team"] },
    "db": { "command": "db", "args": ["--password", "canary", "postgres://me:canary@h/d", "${DB_TOKEN:-canary}"], "env": { "K": "canary" } },
    "search": { "url": "https://u:canary@x/sse?api_key=canary", "headers": { "Authorization": "canary" }, "enabled": false }
  }
}
"""
TABLE = """\
name    transport  tags      state     command or url                                         stands at
files   stdio      team,web  enabled   npx -y '/a b' ${ROOT:-x}                               mcp.json:4
db      stdio      -         enabled   db --password *** postgres://***@h/d ${DB_TOKEN:-***}  mcp.json:5, mcp.production.json:1
search  sse        -         disabled  https://***@x/sse?api_key=***                          mcp.json:6
"""


def test_servers_are_listed_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(TEXT)
    (tmp_path / "mcp.production.json").write_text('{"mcpServers": {"db": {"cwd": "."}}}')
    variables = {"ROOT": "canary", "DB_TOKEN": "canary"}
    done = onemcp("server", "list", "--environment", "production", folder=tmp_path, environ=variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, TABLE, "")
    done = onemcp("server", "list", "--json", folder=tmp_path, environ=variables)
    assert "canary" not in done.stdout
    assert json.loads(done.stdout)[2] == {
        "name": "search",
        "transport": "sse",
        "command": "",
        "url": "https://***@x/sse?api_key=***",
        "tags": [],
        "disabled": True,
        "places": ["mcp.json:6"],
    }


def test_an_empty_configuration_has_none(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"servers": {}}')
    assert onemcp("server", "list", folder=tmp_path).stdout == "no servers in mcp.json\n"
    assert onemcp("server", "list", "--json", folder=tmp_path).stdout == "[]\n"


def test_a_faulty_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"comand": "x"}}}')
    done = onemcp("server", "list", folder=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "mcp.json:1:23: mcpServers.a.comand: unknown key\n      did you mean command?\n"
