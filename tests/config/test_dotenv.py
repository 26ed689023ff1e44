"""The `.env` beside a configuration."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.document import draft, load
from onemcp.config.dotenv import load_dotenv, parse_dotenv
from onemcp.config.secrets.command import CommandConfig
from onemcp.config.secrets.folder import FolderConfig
from onemcp.core.spec import StdioTransport
from onemcp.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("# remark\n\n  A = 1  \r\nexport B=2", {"A": "1", "B": "2"}),
        ("A=one two # three", {"A": "one two"}),
        ("A=a#b", {"A": "a#b"}),
        ("A=", {"A": ""}),
        ("A=  # nothing", {"A": ""}),
        ("A='$B # x'", {"A": "$B # x"}),
        ('A="x\\n\\"y\\" \\\\ $Z"', {"A": 'x\n"y" \\ $Z'}),
        ('A="one\ntwo" # both', {"A": "one\ntwo"}),
        ("A=${B}", {"A": "${B}"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=it's", {"A": "it's"}),
        ("URL=postgres://u:p@h/db?x=1&y=2", {"URL": "postgres://u:p@h/db?x=1&y=2"}),
    ],
)
def test_what_a_line_means(text: str, found: dict[str, str]) -> None:
    assert parse_dotenv(text) == found


@pytest.mark.parametrize(
    ("text", "line"), [("A", 1), ("A=1\n\n1A=2", 3), ('A="open', 1), ("A='x' y", 1), ("=x", 1), ("- A=1", 1)]
)
def test_a_line_that_means_nothing_is_told_without_what_stands_in_it(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dotenv(text, ".env")
    problem = caught.value.problems[0]
    assert (problem.file, problem.line, problem.what) == (".env", line, "this is no NAME=text")


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True), st.text(max_size=20)))
def test_what_is_quoted_comes_back_as_it_was(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r") + '"'

    text = "\n".join(f"{name}={quoted(value)}" for name, value in values.items())
    assert parse_dotenv(text) == values


@given(st.text(alphabet="A=1'\"\\ #\n\r\texport", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_dotenv(text)
    except ConfigError as error:
        assert error.problems[0].line >= 1
    else:
        assert all(name.isidentifier() for name in found)


def test_a_reference_finds_it_the_environment_comes_first_and_no_server_inherits_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\n")
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {"s": {"command": "x", "args": ["${A}", "${B}"]}}}')
    (spec,) = load(config, {"A": "environment"}).specs
    assert isinstance(spec.transport, StdioTransport)
    assert list(spec.transport.argv) == ["x", "environment", "file"]
    assert "B" not in dict(spec.transport.env)


def test_one_that_leads_nowhere_is_told_and_a_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"\.env: the link leads nowhere"):
        load_dotenv(tmp_path)
    (tmp_path / "nowhere").mkdir()
    assert load_dotenv(tmp_path) == {}


def test_one_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert load_dotenv(tmp_path) == {}
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_dotenv(tmp_path)


def test_it_says_nothing_about_where_secrets_are_and_reaches_no_program_that_has_them(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "ONE_MCP_SECRETS_DIR=/elsewhere\nVAULT_ADDR=https://v\nOP_TOKEN=x\nPLACE=here\n"
    )
    command = ["get", "{path}"]
    providers = {
        "program": {"type": "exec", "command": command, "envFilter": ["OP_*"], "env": {"PLACE": "${PLACE}"}},
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {}, "secrets": {"providers": providers}}))
    found = draft(tmp_path / "mcp.json", {"PATH": "/bin"}).secrets.providers
    assert found["files"] == FolderConfig("/run/secrets")
    program = found["program"]
    assert isinstance(program, CommandConfig)
    assert dict(program.environment) == {"PATH": "/bin", "PLACE": "here"}
