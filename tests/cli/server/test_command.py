"""`1mcp server`: which verb is meant."""

from pathlib import Path

import pytest
from tests.support.gateway import onemcp

from onemcp.cli.main import run


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "1mcp: server needs a verb\n      there are list, add, edit, enable, disable, remove, import\n"),
        (["lst"], "1mcp: unknown verb lst\n      did you mean 1mcp server list?\n"),
        (
            ["remove", "a", "--", "b"],
            "1mcp: server remove takes no command line\n      see 1mcp server remove --help\n",
        ),
    ],
)
def test_what_means_nothing_is_told(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["server", *argv], {}) == 2
    assert capsys.readouterr() == ("", sentence)


def test_help_has_the_verbs_and_each_has_its_own(tmp_path: Path) -> None:
    done = onemcp("server", "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "  add      a new one: a command to start, or a url\n" in done.stdout
    done = onemcp("server", "add", "--help", folder=tmp_path)
    assert done.stdout.startswith("usage: 1mcp server add NAME [OPTIONS] -- COMMAND [ARGUMENT...]\n")


@pytest.mark.parametrize("verb", ["list", "remove", "enable", "disable", "edit"])
def test_where_there_is_no_configuration_that_is_told(verb: str, tmp_path: Path) -> None:
    done = onemcp("server", verb, *(() if verb == "list" else ("a",)), folder=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("1mcp: there is no configuration; looked for\n")
