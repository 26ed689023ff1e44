"""`1mcp config`: its verbs."""

from pathlib import Path

import pytest
from tests.support.gateway import onemcp

from onemcp.cli.config.command import VERBS


def test_help_has_every_verb(tmp_path: Path) -> None:
    done = onemcp("config", "--help", folder=tmp_path)
    assert done.returncode == 0
    for name, verb in VERBS.items():
        assert f"  {name}" in done.stdout
        assert verb.summary in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help(verb: str, tmp_path: Path) -> None:
    done = onemcp("config", verb, "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: 1mcp config {verb}")
    assert ("--config" in done.stdout) is (verb != "schema")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "1mcp: config needs a verb\n      there are show, check, diff, reload, features, schema\n"),
        (["shw"], "1mcp: unknown verb shw\n      did you mean 1mcp config show?\n"),
        (["check", "--jsn"], "1mcp: unknown option --jsn\n      did you mean --json?\n"),
        (["schema", "x"], "1mcp: unexpected argument x\n      see 1mcp config schema --help\n"),
    ],
)
def test_what_means_nothing_is_refused(argv: list[str], said: str, tmp_path: Path) -> None:
    done = onemcp("config", *argv, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.parametrize("verb", ["show", "check", "features"])
def test_without_a_configuration_it_says_where_it_looked(verb: str, tmp_path: Path) -> None:
    done = onemcp("config", verb, folder=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("1mcp: there is no configuration; looked for")


@pytest.mark.parametrize("verb", ["reload", "diff"])
def test_without_a_gateway_there_is_nobody_to_ask(verb: str, tmp_path: Path) -> None:
    done = onemcp("config", verb, folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("1mcp: no gateway runs here")


def test_a_port_in_the_file_leads_to_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}, "port": 4567}')
    assert "/4567" in onemcp("config", "diff", "--config", "mcp.json", folder=tmp_path).stderr
    assert "/3050" in onemcp("config", "diff", folder=tmp_path).stderr
