"""`1mcp server add`, `remove`, `enable`, `disable`: the file afterwards, and what is said of it."""

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway import WAIT_LIMIT, environment, onemcp

from onemcp.cli.main import run

TEXT = """{
  // ours
  "mcpServers": {
    "files": { "command": "mcp-files" }, // in /srv
    "zed": { "url": "http://127.0.0.1:9000/sse", "enabled": true }
  }
}
"""


def server(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return onemcp("server", *arguments, folder=folder, environ=variables)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(TEXT)
    return path


def test_a_command_is_added_and_the_rest_stays_as_it_is(file: Path) -> None:
    done = server(
        file.parent, "add", "docs", "--tag", "web", "--env", "A=b=c", "--", "npx", "-y", "--env", "X=1"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "docs is at mcp.json:6\n      mcp.json.bak has the text before this, and none older is kept\n"
    )
    assert file.read_text() == TEXT.replace(
        '"enabled": true }\n',
        '"enabled": true },\n    "docs": {\n      "command": "npx",\n      "args": ["-y", "--env", "X=1"],\n'
        '      "env": {\n        "A": "b=c"\n      },\n      "tags": ["web"]\n    }\n',
    )
    assert (file.parent / "mcp.json.bak").read_text() == TEXT


def test_every_option_is_a_member(tmp_path: Path) -> None:
    arguments = [
        *(
            "add",
            "--type",
            "sse",
            "--header",
            "X-A: b:c ",
            "--header",
            "X-B:",
            "--request-timeout",
            "2000",
            "a",
        ),
        *("--connection-timeout", "3000", "http://x/${A:-b}", "--disabled", "--set", "required=true"),
        *("--set", 'headers.X.Y="z"', "--set", "serverUrl=null"),
    ]
    done = server(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "mcp.json").read_text()) == {
        "mcpServers": {
            "a": {
                "type": "sse",
                "url": "http://x/${A:-b}",
                "headers": {"X-A": "b:c", "X-B": "", "X.Y": "z"},
                "requestTimeout": 2000,
                "connectionTimeout": 3000,
                "disabled": True,
                "required": True,
                "serverUrl": None,
            }
        }
    }


def test_where_there_is_no_configuration_one_is_made(tmp_path: Path) -> None:
    done = server(tmp_path, "add", "docs", "https://mcp.example.com/mcp")
    assert done.stdout == "docs is at mcp.json:3\n      mcp.json is new, and only you can read it\n"
    file = tmp_path / "mcp.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (
        file.read_text()
        == '{\n  "mcpServers": {\n    "docs": {\n      "url": "https://mcp.example.com/mcp"\n    }\n  }\n}\n'
    )
    assert server(tmp_path, "add", "b", "-c", "other.json", "--", "x").stdout.startswith(
        "b is at other.json:3\n"
    )


def test_a_template_is_extended(tmp_path: Path) -> None:
    templates = {"files": {"command": "npx", "args": "${param:args}", "parameters": {"args": None}}}
    (tmp_path / "mcp.json").write_text(json.dumps({"templates": templates, "mcpServers": {}}))
    done = server(tmp_path, "add", "docs", "--extend", "files", "--param", 'args=["-y"]')
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(server(tmp_path, "list", "--json").stdout)
    assert row["command"] == "npx -y"
    done = server(tmp_path, "add", "more", "--extend", "files")
    assert done.returncode == 78
    assert "mcpServers.more: the template wants the parameter args" in done.stderr


def test_a_name_that_is_taken_is_replaced_only_when_asked(file: Path) -> None:
    done = server(file.parent, "add", "files", "http://x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "1mcp: there is a server files already, at mcp.json:4\n"
        "      --replace puts this one in its place, 1mcp server edit changes it\n"
    )
    assert file.read_text() == TEXT
    assert server(file.parent, "add", "files", "http://x", "--replace").returncode == 0
    assert file.read_text() == TEXT.replace('{ "command": "mcp-files" }', '{\n      "url": "http://x"\n    }')
    done = server(file.parent, "add", "files", "http://x", "--replace")
    assert (done.returncode, done.stdout) == (0, "files is there already, just so\n")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "1mcp: the following arguments are required: name\n      see 1mcp server add --help\n"),
        (["a"], "1mcp: what is it?\n      add NAME -- COMMAND [ARGUMENT...], or add NAME URL\n"),
        (["a", "npx"], "1mcp: npx is no url\n      a command stands behind --, as in: add NAME -- COMMAND\n"),
        (["a", "--"], "1mcp: there is no command behind --\n"),
        (
            ["a", "http://x", "--", "x"],
            "1mcp: both a url and a command: http://x\n      keep the one that is meant\n",
        ),
        (
            ["a", "--env", "A", "--", "x"],
            "1mcp: --env takes NAME=VALUE\n      with an equals sign in between\n",
        ),
        (
            ["a", "--header", "A", "http://x"],
            "1mcp: --header takes 'NAME: VALUE'\n      with a colon in between\n",
        ),
        (["a", "--param", "a=b", "--", "x"], "1mcp: --param goes with --extend only\n"),
        (
            ["a", "--set", "cwd=/srv", "--", "x"],
            "1mcp: --set cwd: the value is no JSON\n      a text stands in quotes: --set 'cwd=\"text\"'\n",
        ),
        (["a", "--tga", "x"], "1mcp: unknown option --tga\n      did you mean --tag?\n"),
    ],
)
def test_what_was_typed_wrongly(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["server", "add", *argv], {}) == 2
    assert capsys.readouterr() == ("", sentence)


def test_an_invalid_result_is_refused_with_everything_that_is_wrong(file: Path) -> None:
    done = server(file.parent, "add", "a", "--set", "tags=1", "--set", 'rquired="x"', "--", "x")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "1mcp: the configuration would be faulty; nothing was changed\n      because of this:\n"
        "mcp.json:8:15: mcpServers.a.tags: expected an array of strings, found 1\n"
        "mcp.json:9:7: mcpServers.a.rquired: unknown key\n      did you mean required?\n"
    )
    assert file.read_text() == TEXT
    assert sorted(each.name for each in file.parent.iterdir()) == ["home", "mcp.json"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--env", "GITHUB_TOKEN=canary", "--", "x"], "GITHUB_TOKEN"),
        (["--header", "Authorization: Bearer canary", "http://x"], "Authorization"),
        (["--", "x", "--api-key", "canary"], "an argument"),
        (["http://x/?token=canary"], "the url"),
        (["--env", "GITHUB_TOKEN=${SECRET:t}", "--env", "MODE=x", "--", "x", "--api-key", "${SECRET:t}"], ""),
    ],
)
def test_a_credential_in_clear_is_told_and_not_repeated(
    arguments: list[str], what: str, tmp_path: Path
) -> None:
    done = server(tmp_path, "add", "a", *arguments)
    told = (
        f"1mcp: in mcp.json in clear: a: {what}\n"
        "      1mcp secret set NAME keeps one sealed; then write ${SECRET:NAME} in its place\n"
    )
    assert (done.returncode, done.stderr) == (0, told if what else "")
    assert "canary" not in done.stdout + done.stderr
    again = server(tmp_path, "edit", "a", "--set", "required=true")
    assert (again.returncode, again.stderr) == (0, "")


def test_a_variable_that_is_not_set_here_is_told(tmp_path: Path) -> None:
    done = server(tmp_path, "add", "a", "--", "x", "${ROOT}")
    assert done.stderr == (
        "1mcp: a: the variable ROOT is not set\n      set it where the gateway starts, or write ${ROOT:-text}\n"
    )
    assert server(tmp_path, "add", "b", "--", "x", "${ROOT}", ROOT="/srv").stderr == ""


def test_remove_takes_an_entry_out(file: Path) -> None:
    done = server(file.parent, "remove", "files")
    assert done.stdout.startswith("files is gone from mcp.json\n")
    assert file.read_text() == TEXT.replace('    "files": { "command": "mcp-files" }, // in /srv\n', "")
    done = server(file.parent, "remove", "zd")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "1mcp: there is no server zd in mcp.json\n      did you mean zed?\n"


def test_a_switch_keeps_its_spelling(file: Path) -> None:
    assert server(file.parent, "disable", "files").stdout.startswith("files is disabled in mcp.json\n")
    assert server(file.parent, "disable", "zed").returncode == 0
    off = TEXT.replace('"mcp-files" }', '"mcp-files", "disabled": true }').replace(
        '"enabled": true', '"enabled": false'
    )
    assert file.read_text() == off
    assert server(file.parent, "disable", "zed").stdout == "zed is disabled already\n"
    assert server(file.parent, "enable", "files").stdout.startswith("files is enabled in mcp.json\n")
    assert server(file.parent, "enable", "zed").returncode == 0
    assert file.read_text() == TEXT


def test_what_a_template_switches_off_is_switched_on_in_the_entry(tmp_path: Path) -> None:
    document: Any = {
        "templates": {"t": {"command": "x", "disabled": True}},
        "mcpServers": {"a": {"extend": "t"}},
    }
    (tmp_path / "mcp.json").write_text(json.dumps(document))
    assert server(tmp_path, "enable", "a").returncode == 0
    document["mcpServers"]["a"]["disabled"] = False
    assert json.loads((tmp_path / "mcp.json").read_text()) == document


def test_the_file_is_changed_that_an_entry_stands_in(file: Path) -> None:
    folder = file.parent
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "1.json").write_text('{"mcpServers": {"web": {"url": "http://x"}}}')
    (folder / "mcp.production.json").write_text(
        '{"mcpServers": {"web": {"tags": ["x"]}, "files": {"disabled": true}}}'
    )
    assert server(folder, "disable", "web").stdout.startswith("web is disabled in conf.d/1.json\n")
    production = ("--environment", "production")
    done = server(folder, "remove", "web", *production)
    assert (done.returncode, done.stderr) == (
        1,
        (
            "1mcp: web stands in several files\n"
            "      name one with --file: it is in conf.d/1.json:1, mcp.production.json:1\n"
        ),
    )
    done = server(folder, "remove", "web", *production, "--file", "mcp.production.json")
    assert done.stdout.endswith("      it still stands at conf.d/1.json:1\n")
    done = server(folder, "enable", "files", *production, "--file", "mcp.json")
    assert done.returncode == 1
    assert "another file has the last word on files" in done.stderr
    assert server(folder, "add", "n", "http://x", "--file", "1.json").stdout.startswith(
        "n is at conf.d/1.json:1\n"
    )
    assert server(folder, "add", "m", "--file", "2.json", "http://x").stdout.startswith(
        "m is at conf.d/2.json:3\n"
    )
    done = server(folder, "add", "k", "--file", "/elsewhere.json", "http://x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "/elsewhere.json is no file of this configuration" in done.stderr


def test_a_folder_asks_for_the_fragment_if_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "1.json").write_text('{"mcpServers": {}}')
    assert server(tmp_path, "add", "a", "http://x", "-c", "c").stdout.startswith("a is at c/1.json:2\n")
    (tmp_path / "c" / "2.json").write_text("{}")
    done = server(tmp_path, "add", "b", "http://x", "-c", "c")
    assert (done.returncode, done.stderr) == (
        1,
        "1mcp: c has several files\n      name one with --file: c/1.json, c/2.json\n",
    )
    assert server(tmp_path, "add", "b", "http://x", "-c", "c", "--file", "3.json").returncode == 0
    assert server(tmp_path, "list", "-c", "c").stdout.count("http://x") == 2


@pytest.mark.anyio
async def test_of_many_at_once_none_is_lost(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(6)]
    done = await asyncio.gather(
        *(asyncio.to_thread(server, tmp_path, "add", name, "--", "x") for name in names)
    )
    assert [each.returncode for each in done] == [0] * len(names)
    assert sorted(json.loads((tmp_path / "mcp.json").read_text())["mcpServers"]) == names


def bounded(folder: Path, *arguments: str, size: int | None = None) -> subprocess.CompletedProcess[str]:
    """As somebody who may not write everywhere, or where no file can be larger than `size` bytes."""

    def limit() -> None:
        if size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-chown,-fowner", "--inh-caps=-all"]
    return subprocess.run(
        [*(drop if os.getuid() == 0 else []), sys.executable, "-m", "onemcp", "server", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_LIMIT,
        check=False,
        preexec_fn=limit,
    )


def test_where_nothing_can_be_written_nothing_is_lost(file: Path) -> None:
    (file.parent / "home").mkdir()
    file.parent.chmod(0o555)
    try:
        done = bounded(file.parent, "add", "a", "--", "x")
    finally:
        file.parent.chmod(0o755)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"1mcp: {file} cannot be written: Permission denied\n      nothing was changed; may this user write there?\n",
    )
    assert sorted(each.name for each in file.parent.iterdir()) == ["home", "mcp.json"]


def test_a_file_that_may_not_be_written_is_not_replaced(file: Path) -> None:
    file.chmod(0o444)
    done = bounded(file.parent, "add", "a", "--", "x")
    assert (done.returncode, done.stderr) == (
        1,
        "1mcp: mcp.json may not be written\n      nothing was changed; see its mode and its owner\n",
    )
    assert file.read_text() == TEXT


def test_a_file_for_which_there_is_no_room_stays_as_it_is(file: Path) -> None:
    done = bounded(file.parent, "add", "a", "--", "x" * 300, size=400)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"1mcp: {file} cannot be written: File too large\n      nothing was changed\n"
    assert file.read_text() == TEXT
    assert sorted(each.name for each in file.parent.iterdir()) == ["home", "mcp.json"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file somebody else's")
def test_a_file_of_somebody_else_stays_theirs_or_as_it_is(file: Path) -> None:
    os.chown(file, 1234, 2345)
    file.chmod(0o666)
    done = bounded(file.parent, "add", "a", "--", "x")
    assert done.returncode == 1
    assert "cannot be written: Operation not permitted" in done.stderr
    assert file.read_text() == TEXT
    assert server(file.parent, "add", "a", "--", "x").returncode == 0
    after = file.stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (1234, 2345, 0o666)
