"""`1mcp server edit`: by options, and in an editor."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.gateway import onemcp

TEXT = """{
  "mcpServers": {
    "files": {
      // why
      "command": "mcp-files",
      "env": { "A": "b" }
    }
  }
}
"""
EDITOR = """
import os, sys
from pathlib import Path
file = Path(sys.argv[-1])
seen = Path("seen")
seen.mkdir(exist_ok=True)
number = len(list(seen.iterdir()))
(seen / str(number)).write_text(f"{oct(file.stat().st_mode)} {oct(file.parent.stat().st_mode)}\\n{file.read_text()}")
exec(Path(f"step{number}.py").read_text())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(TEXT)
    (tmp_path / "editor.py").write_text(EDITOR)
    return path


def edit(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return onemcp("server", "edit", *arguments, folder=file.parent)


def in_editor(file: Path, *steps: str, name: str = "files") -> subprocess.CompletedProcess[str]:
    """Edit in an editor that does one step each time it is opened; they have `file`."""
    for number, step in enumerate(steps):
        (file.parent / f"step{number}.py").write_text(step)
    editor = f"'{sys.executable}' '{file.parent / 'editor.py'}' --wait"
    kept = str(file.parent)
    return onemcp("server", "edit", name, folder=file.parent, environ={"EDITOR": editor, "TMPDIR": kept})


def seen(file: Path, number: int = 0) -> str:
    return (file.parent / "seen" / str(number)).read_text()


def kept(file: Path) -> list[Path]:
    return list(file.parent.glob("1mcp-*/*"))


REPLACE = "file.write_text(file.read_text().replace({!r}, {!r}))"


def test_members_are_set_and_unset_and_the_rest_stays(file: Path) -> None:
    done = edit(file, "--set", 'env.B="c"', "files", "--set", "required=true", "--unset", "env.A")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("files is changed at mcp.json:3\n")
    assert file.read_text() == TEXT.replace('"A": "b" }', '"B": "c" },\n      "required": true')
    assert edit(file, "files", "--set", "required=true").stdout == "files is as it was\n"


@pytest.mark.parametrize(
    ("argv", "code", "sentence"),
    [
        (["--unset", "cwd"], 1, "1mcp: files has no cwd at mcp.json:3\n      nothing was changed\n"),
        (
            ["--set", "command.x=1"],
            1,
            "1mcp: command of files is no object\n      set command as a whole\n",
        ),
        (
            ["--set", "env.B=1"],
            78,
            (
                "1mcp: the configuration would be faulty; nothing was changed\n      because of this:\n"
                "mcp.json:6:31: mcpServers.files.env.B: expected a string, found 1\n"
            ),
        ),
        (
            ["--unset", "command"],
            78,
            (
                "1mcp: the configuration would be faulty; nothing was changed\n      because of this:\n"
                "mcp.json:3:14: mcpServers.files: neither command nor url\n"
                "      say which program to start, or which url to ask\n"
            ),
        ),
    ],
)
def test_what_cannot_be_is_refused(argv: list[str], code: int, sentence: str, file: Path) -> None:
    done = edit(file, "files", *argv)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", sentence)
    assert file.read_text() == TEXT


def test_an_editor_gets_the_entry_alone_and_unseen(file: Path) -> None:
    done = in_editor(file, REPLACE.format('"b" }', '"b" }, // new\n  "tags": ["x"],'))
    assert (done.returncode, done.stderr) == (0, "")
    assert seen(file) == (
        "0o100600 0o40700\n//! files, from mcp.json:3; left as it is, or empty, nothing changes\n"
        '{\n  // why\n  "command": "mcp-files",\n  "env": { "A": "b" }\n}\n'
    )
    assert file.read_text() == TEXT.replace('"b" }\n', '"b" }, // new\n      "tags": ["x"],\n')
    assert kept(file) == []


@pytest.mark.parametrize("step", ["pass", 'file.write_text("")'])
def test_left_as_it_is_or_emptied_nothing_changes(step: str, file: Path) -> None:
    done = in_editor(file, step)
    assert (done.returncode, done.stdout, done.stderr) == (0, "files is as it was\n", "")
    assert sorted(each.name for each in file.parent.glob("mcp.json*")) == ["mcp.json"]
    assert kept(file) == []


def test_a_mistake_is_told_in_the_editor_until_there_is_none(file: Path) -> None:
    wrong = REPLACE.format('"command"', '"comand"')
    worse = REPLACE.format('"comand"', 'comand"')
    right = REPLACE.format('comand"', '"command"') + "\n" + REPLACE.format("mcp-files", "other")
    done = in_editor(file, wrong, worse, right)
    assert (done.returncode, done.stderr) == (0, "")
    assert "//! mcp.json:5:7: mcpServers.files.comand: unknown key; did you mean command?\n" in seen(file, 1)
    assert "//! what you wrote:3:3: expected a key, found comand; keys stand in double quotes" in seen(
        file, 2
    )
    assert seen(file, 2).count("//! files, from") == 1
    assert file.read_text() == TEXT.replace("mcp-files", "other")
    assert kept(file) == []


def test_a_mistake_that_is_left_as_it_is_is_given_up_and_kept(file: Path) -> None:
    done = in_editor(file, REPLACE.format('"command"', '"comand"'), "pass")
    assert (done.returncode, done.stdout) == (1, "")
    (left,) = kept(file)
    assert done.stderr == (
        f"1mcp: what you wrote is in {left}\n1mcp: it is faulty as it was; nothing was changed\n"
    )
    assert '"comand"' in left.read_text()
    assert file.read_text() == TEXT


def test_what_somebody_else_does_meanwhile_counts_and_nothing_is_lost(file: Path) -> None:
    other = "Path('mcp.json').write_text(Path('mcp.json').read_text().replace('mcp-files', 'theirs'))\n"
    done = in_editor(file, other + REPLACE.format('"b"', '"c"'))
    assert done.returncode == 1
    assert "1mcp: somebody else has changed files meanwhile\n      nothing was changed\n" in done.stderr
    assert [path.read_text().count('"c"') for path in kept(file)] == [1]
    assert file.read_text() == TEXT.replace("mcp-files", "theirs")


def test_what_somebody_else_does_elsewhere_meanwhile_stays(file: Path) -> None:
    other = "Path('mcp.json').write_text('// theirs\\n' + Path('mcp.json').read_text())\n"
    assert in_editor(file, other + REPLACE.format('"b"', '"c"')).returncode == 0
    assert file.read_text() == "// theirs\n" + TEXT.replace('"b"', '"c"')


def test_an_editor_that_fails_changes_nothing(file: Path) -> None:
    done = in_editor(file, REPLACE.format('"b"', '"c"') + "\nsys.exit(3)")
    assert done.returncode == 1
    assert "ended with 3; nothing was changed" in done.stderr
    assert file.read_text() == TEXT
    done = onemcp("server", "edit", "files", folder=file.parent, environ={"VISUAL": "/no/such/editor"})
    assert (
        done.stderr
        == "1mcp: /no/such/editor cannot be started: No such file or directory\n      set EDITOR\n"
    )
    done = onemcp("server", "edit", "files", folder=file.parent, environ={"PATH": "/nowhere", "VISUAL": ""})
    assert done.stderr == "1mcp: there is no editor\n      set VISUAL or EDITOR, or use --set and --unset\n"


def test_ctrl_c_is_the_editors_while_it_runs(file: Path) -> None:
    step = """
import signal
came = []
signal.signal(signal.SIGINT, lambda *_: came.append(1))
print("ready", flush=True)
signal.alarm(30)
while not came:
    signal.pause()
signal.sigtimedwait([], 1)  # longer than who does not wait for an editor would wait
file.write_text(file.read_text().replace("mcp-files", "other"))
"""
    (file.parent / "step0.py").write_text(step)
    editor = f"'{sys.executable}' '{file.parent / 'editor.py'}'"
    environ = {**os.environ, "EDITOR": editor, "VISUAL": "", "TMPDIR": str(file.parent)}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(file.parent)
        argv = [sys.executable, "-m", "onemcp", "server", "edit", "files", "--config", "mcp.json"]
        os.execve(sys.executable, argv, environ)
    shown = b""
    try:
        while b"ready" not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, b"\x03")
        while b"is changed" not in shown:
            shown += os.read(terminal, 1024)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert file.read_text() == TEXT.replace("mcp-files", "other")
    assert kept(file) == []


def test_what_is_not_utf_8_is_kept_and_told(file: Path) -> None:
    done = in_editor(file, "file.write_bytes(b'\\xff')")
    assert done.returncode == 1
    assert "1mcp: what was written cannot be read: " in done.stderr
    assert file.read_text() == TEXT
    assert [each.read_bytes() for each in kept(file)] == [b"\xff"]
