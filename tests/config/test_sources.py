"""The files that make up one configuration."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.support.gateway import environment

from onemcp.config.document import load
from onemcp.config.sources import is_folder, read_sources, read_text, watched
from onemcp.core.spec import StdioTransport
from onemcp.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    for name in ("mcp.json", "mcp.production.json", "other.json", "mcp.staging.json"):
        (tmp_path / name).write_text("{}")
    fragments = (
        "20-b.json",
        "10-a.json",
        "10-a.production.json",
        "10-a.staging.json",
        ".hidden.json",
        "x.json~",
        "README",
    )
    for name in fragments:
        (tmp_path / "conf.d" / name).write_text("{}")
    return tmp_path


def names(path: Path, environment: str = "") -> list[str]:
    return [Path(source.file).name for source in read_sources(path, environment)]


def test_fragments_follow_by_name_and_other_environments_are_left_out(folder: Path) -> None:
    assert names(folder / "mcp.json") == ["mcp.json", "10-a.json", "20-b.json"]


def test_what_is_different_in_an_environment_comes_after_what_it_is_laid_over(folder: Path) -> None:
    expected = ["mcp.json", "10-a.json", "10-a.production.json", "20-b.json", "mcp.production.json"]
    assert names(folder / "mcp.json", "production") == expected


def test_a_folder_is_its_fragments(folder: Path) -> None:
    assert names(folder / "conf.d") == ["10-a.json", "20-b.json"]
    assert names(folder / "conf.d", "staging") == ["10-a.json", "10-a.staging.json", "20-b.json"]


def test_a_dot_in_a_name_makes_no_overlay_where_there_is_nothing_to_lay_it_over(tmp_path: Path) -> None:
    (tmp_path / "10-web.v2.json").write_text("{}")
    assert names(tmp_path) == ["10-web.v2.json"]


@pytest.mark.parametrize("base", ["mcp.toml", "mcp.yaml", "mcp.json"])
def test_what_is_different_may_be_in_another_format(base: str, tmp_path: Path) -> None:
    for name in (base, "mcp.production.yml", "other.production.json"):
        (tmp_path / name).write_text("{}")
    assert names(tmp_path / base, "production") == [base, "mcp.production.yml"]
    assert names(tmp_path) == [base, "other.production.json"]
    assert names(tmp_path, "production") == [base, "mcp.production.yml", "other.production.json"]
    with pytest.raises(ConfigError, match="did you mean production"):
        read_sources(tmp_path / base, "prodution")


def test_one_in_the_same_format_is_not_another_files(tmp_path: Path) -> None:
    for name in ("10.json", "10.production.json", "10.production.yaml", "10.yaml"):
        (tmp_path / name).write_text("{}")
    assert names(tmp_path, "production") == ["10.json", "10.production.json", "10.yaml", "10.production.yaml"]
    for name in ("10.json", "10.yaml"):
        assert len(names(tmp_path / name, "production")) == 2


@pytest.mark.parametrize("is_folder", [True, False])
def test_two_for_the_same_environment_and_file_are_refused(is_folder: bool, tmp_path: Path) -> None:
    for name in ("mcp.json", "mcp.production.json", "mcp.production.yaml"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigError, match=r"mcp\.production\.yaml: mcp\.production\.json is there as well"):
        read_sources(tmp_path if is_folder else tmp_path / "mcp.json", "production")


@pytest.mark.parametrize("link", ["mcp.production.json", "conf.d/10.json", "conf.d/10.production.json"])
def test_a_link_that_leads_nowhere_is_not_passed_over(link: str, tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    for name in ("mcp.json", "conf.d/20.json", "conf.d/20.production.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / link).symlink_to("nowhere")
    with pytest.raises(ConfigError, match="there is no such file"):
        read_sources(tmp_path / "mcp.json", "production")


def test_the_end_of_a_name_may_be_in_capitals(tmp_path: Path) -> None:
    for name in ("10.JSON", "20.Yaml"):
        (tmp_path / name).write_text("{}")
    assert names(tmp_path) == ["10.JSON", "20.Yaml"]


def test_a_name_that_nobody_may_look_at_is_no_folder_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300) / "mcp.json"
    assert not is_folder(path)
    assert watched(path) == (path.parent, path.parent / "conf.d")
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        read_sources(path, "production")


def test_fragments_are_in_a_folder_or_nowhere(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text("{}")
    (tmp_path / "conf.d").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"conf\.d: the link leads nowhere"):
        read_sources(tmp_path / "mcp.json")
    (tmp_path / "nowhere").write_text("{}")
    with pytest.raises(ConfigError, match=r"conf\.d: the folder cannot be read: Not a directory"):
        read_sources(tmp_path / "mcp.json")


@pytest.mark.parametrize(
    ("asked", "fix"), [("prodution", "did you mean production?"), ("qa", "there are production, staging")]
)
def test_an_environment_that_nothing_is_configured_for_is_refused(folder: Path, asked: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_sources(folder / "mcp.json", asked)
    assert str(caught.value) == f"{folder}: nothing is configured for the environment '{asked}'; {fix}"


def test_the_first_overlay_is_told_how_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"write \{\} into mcp.production.json"):
        read_sources(tmp_path / "mcp.json", "production")


def test_development_staging_and_production_from_one_base(tmp_path: Path) -> None:
    base = {
        "mcpServers": {
            "db": {"command": "db", "args": ["--dev"], "env": {"A": "1", "B": "2"}},
            "debug": {"command": "d"},
        }
    }
    over = {"mcpServers": {"db": {"args": ["--prod"], "env": {"B": "3"}}, "debug": None}, "port": 4000}
    (tmp_path / "mcp.json").write_text(json.dumps(base))
    (tmp_path / "mcp.production.json").write_text(json.dumps(over))
    plain, production = (
        load(tmp_path / "mcp.json", {}),
        load(tmp_path / "mcp.json", {}, environment="production"),
    )
    assert [spec.name for spec in plain.specs] == ["db", "debug"]
    (spec,) = production.specs
    assert isinstance(spec.transport, StdioTransport)
    assert (list(spec.transport.argv), dict(spec.transport.env)) == (["db", "--prod"], {"A": "1", "B": "3"})
    assert production.settings["port"].origin == f"{tmp_path / 'mcp.production.json'}:1"


def test_a_conflict_of_fragments_is_told_and_an_overlay_is_none(tmp_path: Path) -> None:
    (tmp_path / "10.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    (tmp_path / "20.json").write_text('{"mcpServers": {\n"a": {"command": "y"}}}')
    (tmp_path / "20.dev.json").write_text('{"mcpServers": {"a": {"command": "z"}}}')
    first, second = tmp_path / "10.json", tmp_path / "20.json"
    for name, command in (("", "y"), ("dev", "z")):
        document = load(tmp_path, {}, environment=name)
        assert document.notices == (
            f"{second}:2: mcpServers.a.command stands here and in {first}:1; this one counts",
        )
        (spec,) = document.specs
        assert isinstance(spec.transport, StdioTransport)
        assert list(spec.transport.argv) == [command]


def test_what_is_wrong_is_told_with_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"command": "x"}}}')
    (tmp_path / "mcp.dev.json").write_text('{\n"mcpServers": {"a": {"comand": "y"}}, "prot": 1}')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "mcp.json", {}, environment="dev")
    assert [(Path(p.file).name, p.line, p.key) for p in caught.value.problems] == [
        ("mcp.dev.json", 2, "mcpServers.a.comand"),
        ("mcp.dev.json", 2, "prot"),
    ]


@pytest.mark.parametrize("home", ["1mcp", "onemcp"])
def test_the_settings_of_1mcp_are_read_where_they_can_only_be_ours(tmp_path: Path, home: str) -> None:
    for name in (home, "site"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mcp.json").write_text('{"mcpServers": {}, "port": 4000}')
        (tmp_path / name / "config.toml").write_text('port = 5000\n[logging]\nmaxSize = "10m"\n')
    found = load(tmp_path / home / "mcp.json", {})
    assert {key: value.value for key, value in found.settings.items()} == {
        "port": 4000,
        "logging.maxSize": "10m",
    }
    assert names(tmp_path / home / "mcp.json") == ["config.toml", "mcp.json"]
    assert names(tmp_path / "site" / "mcp.json") == ["mcp.json"]
    (tmp_path / home / "config.toml").unlink()
    (tmp_path / home / "config.toml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"config\.toml: there is no such file"):
        read_sources(tmp_path / home / "mcp.json")


def test_what_is_not_understood_in_them_is_refused_and_switches_nothing_off(tmp_path: Path) -> None:
    (tmp_path / "1mcp").mkdir()
    (tmp_path / "1mcp" / "mcp.json").write_text('{"mcpServers": {}}')
    (tmp_path / "1mcp" / "config.toml").write_text("[auth]\nenabled = true\n")
    with pytest.raises(ConfigError, match=r"config\.toml:1:\d+: auth: unknown key"):
        load(tmp_path / "1mcp" / "mcp.json", {})


def test_what_a_shell_passes_is_read(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {"a": {"command": "a"}}}')
    line = "1mcp config check --config <(cat mcp.json)"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout.endswith("is fine: 1 server\n")) == (0, True), done.stderr


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "mcp.json"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="the file cannot be read: it is no file"):
        read_text(pipe)
