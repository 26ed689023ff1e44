"""`1mcp secret`: values come in unseen, and go out only when asked for."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

CANARY = "canary-3f9"


def secret(
    folder: Path, *arguments: str, given: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-m", "onemcp", "secret", *arguments],
        input=given,
        capture_output=True,
        text=True,
        env=environ,
        timeout=30,
        check=False,
    )


def test_a_secret_is_piped_in_and_printed_only_when_it_is_revealed(tmp_path: Path) -> None:
    done = secret(tmp_path, "set", "api-key", given=f"{CANARY}\n")
    file = tmp_path / ".config" / "onemcp" / "secrets.sealed"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"api-key is kept in {file}, version 1; refer to it as ${{SECRET:api-key}}\n"
    done = secret(tmp_path, "get", "api-key")
    assert done.stdout.startswith("api-key: version 1, changed 20")
    assert CANARY not in done.stdout
    assert secret(tmp_path, "get", "api-key", "--reveal").stdout == f"{CANARY}\n"


def test_list_has_names_and_versions(tmp_path: Path) -> None:
    assert secret(tmp_path, "list").stdout.startswith("no secrets in ")
    for value in ("one", "two"):
        secret(tmp_path, "set", "b", given=value)
    secret(tmp_path, "set", "a", given=CANARY)
    rows = [line.split()[:2] for line in secret(tmp_path, "list").stdout.splitlines()]
    assert rows == [["name", "version"], ["a", "1"], ["b", "2"]]
    document = json.loads(secret(tmp_path, "list", "--json").stdout)
    assert [(one["name"], one["version"]) for one in document] == [("a", 1), ("b", 2)]


def test_rm_takes_one_away(tmp_path: Path) -> None:
    secret(tmp_path, "set", "a", given=CANARY)
    assert secret(tmp_path, "rm", "a").returncode == 0
    done = secret(tmp_path, "get", "a", "--reveal")
    assert done.returncode == 1
    assert done.stderr.startswith("1mcp: there is no secret a in ")


def test_rotate_key_says_where_the_new_key_is(tmp_path: Path) -> None:
    secret(tmp_path, "set", "a", given=CANARY)
    done = secret(tmp_path, "rotate-key")
    key = tmp_path / ".config" / "onemcp" / "secrets.key"
    assert done.stdout == f"1 secret sealed with a new key, which is in {key}\n"
    assert secret(tmp_path, "get", "a", "--reveal").stdout == f"{CANARY}\n"


def test_file_and_key_can_be_elsewhere(tmp_path: Path) -> None:
    file, key = str(tmp_path / "s"), str(tmp_path / "k")
    secret(tmp_path, "set", "a", "--file", file, "--key-file", key, given=CANARY)
    variables = {"ONE_MCP_SECRETS_FILE": file, "ONE_MCP_SECRETS_KEY": Path(key).read_text()}
    assert secret(tmp_path, "get", "a", "--reveal", **variables).stdout == f"{CANARY}\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["set"], "1mcp: set needs the name of a secret\n      see 1mcp secret --help\n"),
        (["list", "a"], "1mcp: list takes no name\n      see 1mcp secret --help\n"),
        (
            ["set", "vault:a"],
            "1mcp: no reference could name a secret that is called so\n      use letters, digits, - _ . and /\n",
        ),
        (["list", "--reveal"], "1mcp: --reveal goes with get only\n"),
    ],
)
def test_what_was_typed_wrongly(argv: list[str], sentence: str, tmp_path: Path) -> None:
    done = secret(tmp_path, *argv)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def test_a_value_among_the_arguments_is_refused_and_not_repeated(tmp_path: Path) -> None:
    done = secret(tmp_path, "set", "a", CANARY)
    assert done.returncode == 2
    assert done.stderr == (
        "1mcp: set takes no value among its arguments\n      type it when you are asked, or pipe it in:"
        " an argument shows in ps and in the shell's history\n"
    )
    assert not (tmp_path / ".config").exists()


@pytest.mark.parametrize("given", ["", "\n"])
def test_an_empty_secret_is_refused(given: str, tmp_path: Path) -> None:
    done = secret(tmp_path, "set", "a", given=given)
    assert done.returncode == 1
    assert done.stderr.startswith("1mcp: the secret is empty; nothing was changed\n")


def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        os.execve(sys.executable, [sys.executable, "-m", "onemcp", "secret", "set", "a"], environ)
    shown = b""
    try:
        for prompt in (b"not shown): ", b"once more: "):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1024)
            os.write(terminal, CANARY.encode() + b"\n")
        while b"version 1" not in shown:
            shown += os.read(terminal, 1024)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert CANARY.encode() not in shown
    assert secret(tmp_path, "get", "a", "--reveal").stdout == f"{CANARY}\n"


@pytest.mark.parametrize(
    ("given", "sentence"), [(b"\x04", b"nothing was typed"), (b"\xff\n", b"what was typed is not UTF-8")]
)
def test_what_is_no_secret_at_a_terminal_changes_nothing(
    given: bytes, sentence: bytes, tmp_path: Path
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "onemcp", "secret", "set", "a"], environ)
    shown = b""
    try:
        while not shown.endswith(b"not shown): "):
            shown += os.read(terminal, 1024)
        os.write(terminal, given)
        while b"nothing was changed" not in shown and b"Traceback" not in shown:
            shown += os.read(terminal, 1024)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert sentence in shown
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_says_which_file_and_key_are_meant(tmp_path: Path) -> None:
    section = {"providers": {"local": {"type": "sealed", "file": "own.sealed", "keyFile": "own.key"}}}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {}, "secrets": section}))
    done = secret(tmp_path, "set", "a", "--config", str(config), given=CANARY)
    assert str(tmp_path / "own.sealed") in done.stdout
    assert (tmp_path / "own.key").is_file()
    named = {"ONE_MCP_CONFIG": str(config)}
    assert secret(tmp_path, "get", "a", "--reveal", **named).stdout == f"{CANARY}\n"
    other = {**named, "ONE_MCP_SECRETS_FILE": str(tmp_path / "other.sealed")}
    assert secret(tmp_path, "get", "a", **other).returncode == 1
    assert secret(tmp_path, "list", "--file", str(tmp_path / "third"), **named).stdout.startswith(
        "no secrets"
    )


def test_a_configuration_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text("{")
    done = secret(tmp_path, "set", "a", "--config", str(config), given=CANARY)
    assert (done.returncode, CANARY in done.stdout + done.stderr) == (78, False)
    assert not (tmp_path / ".config").exists()
