import json
import shlex
import tomllib

import pytest

from onemcp.cli.connect import clients

URL = "http://127.0.0.1:3050/mcp"


def test_claude_code_gets_a_command() -> None:
    words = shlex.split(clients(URL)["claude-code"].snippet)
    assert words == ["claude", "mcp", "add", "--transport", "http", "onemcp", URL]


@pytest.mark.parametrize(
    ("client", "value"),
    [
        ("cursor", {"mcpServers": {"onemcp": {"url": URL}}}),
        ("vscode", {"servers": {"onemcp": {"type": "http", "url": URL}}}),
    ],
)
def test_an_editor_gets_json(client: str, value: object) -> None:
    assert json.loads(clients(URL)[client].snippet) == value


def test_codex_gets_toml() -> None:
    assert tomllib.loads(clients(URL)["codex"].snippet) == {"mcp_servers": {"onemcp": {"url": URL}}}
