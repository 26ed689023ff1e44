"""Secrets that a program prints: real programs, real signals."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onemcp.config.secrets.command import Command, CommandConfig
from onemcp.config.secrets.provider import MAX_BYTES, Found, SecretError

pytestmark = pytest.mark.anyio

ENVIRONMENT = (("PATH", os.environ["PATH"]),)


def python(code: str, *arguments: str, **more: object) -> Command:
    argv = (sys.executable, "-c", code, *(arguments or ("{path}",)))
    return Command("op", CommandConfig(argv, ENVIRONMENT, **more))  # type: ignore[arg-type]  # by name


def text(found: Found | None) -> str | None:
    return found.secret.reveal() if found is not None else None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_what_it_prints_is_the_secret() -> None:
    assert text(await python("import sys; print('value of', sys.argv[1])").get("a/b", "")) == "value of a/b"


async def test_path_and_field_stay_inside_of_their_argument_whatever_they_hold() -> None:
    command = python("import sys; print(sys.argv[1:])", "--id={path}", "{field}")
    found = text(await command.get("$(id) 'x' {field} *", "a b; c"))
    assert found == str(["--id=$(id) 'x' {field} *", "a b; c"])


async def test_without_a_placeholder_a_field_is_a_member_of_what_is_printed() -> None:
    command = python("""print('{"password": "p", "user": "u"}')""")
    assert text(await command.get("db", "password")) == "p"
    assert text(await command.get("db", "none")) is None


async def test_a_placeholder_for_the_field_wants_one() -> None:
    with pytest.raises(SecretError) as caught:
        await python("print(1)", "{path}", "{field}").get("db", "")
    assert str(caught.value) == "op needs a field; write provider:path#field"


async def test_printing_nothing_and_a_code_that_says_so_mean_that_there_is_none() -> None:
    assert await python("").get("x", "") is None
    assert await python("import sys; sys.exit(44)", missing=frozenset({44})).get("x", "") is None


async def test_it_gets_only_the_environment_that_it_was_given_and_no_input() -> None:
    code = "import os, sys; print(sorted(os.environ), repr(sys.stdin.read()))"
    printed = text(await python(code).get("x", ""))
    assert printed is not None
    assert "ONE_MCP" not in printed
    names = set(eval(printed.partition("] ")[0] + "]"))
    assert names <= {"PATH", "LC_CTYPE"}
    assert printed.endswith(" ''")


async def test_a_failure_tells_plain_words_of_its_last_line_only() -> None:
    code = "import sys; print('first', file=sys.stderr); sys.exit('you are not signed in: hunter2 tok-abcdef /home/ada')"
    with pytest.raises(SecretError) as caught:
        await python(code).get("x", "")
    name = Path(sys.executable).name
    assert (
        caught.value.what == f"{name} ended with exit code 1, saying: you are not signed in: *** *** <path>"
    )
    assert caught.value.fix == f"see what {sys.executable} says when the gateway's user runs it"


async def test_a_failure_does_not_tell_what_was_printed() -> None:
    code = "import sys; print('canarysecret'); sys.exit('cannot use canarysecret')"
    with pytest.raises(SecretError) as caught:
        await python(code).get("x", "")
    assert "canary" not in str(caught.value)


async def test_a_signal_is_told() -> None:
    with pytest.raises(SecretError, match="ended with signal 9"):
        await python("import os; os.kill(os.getpid(), 9)").get("x", "")


async def test_a_program_that_is_not_there_is_told() -> None:
    command = Command("op", CommandConfig(("/no/such/program", "{path}"), ENVIRONMENT))
    with pytest.raises(SecretError) as caught:
        await command.get("x", "")
    assert str(caught.value) == (
        "program cannot be started: No such file or directory; install it, or correct the command"
    )


async def test_printing_without_end_is_stopped() -> None:
    with pytest.raises(SecretError, match=f"printed more than {MAX_BYTES} bytes"):
        async with asyncio.timeout(4):  # less than a process is waited for that was killed
            await python("while True: print('x' * 1000)").get("x", "")


async def test_who_takes_too_long_is_killed_with_all_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, os, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open(sys.argv[1] + '.tmp', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename(sys.argv[1] + '.tmp', sys.argv[1])\n"
        "time.sleep(600)\n"
    )
    pids = tmp_path / "pids"
    asked = asyncio.ensure_future(python(code).get(str(pids), ""))
    await until(pids.exists)
    asked.cancel()
    await asyncio.wait((asked,), timeout=10)
    assert asked.cancelled()
    leader, child = map(int, pids.read_text().split())
    await until(lambda: not is_running(leader) and not is_running(child))


async def test_a_daemon_that_it_leaves_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "    stdout=subprocess.DEVNULL, start_new_session=True)\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "print('v')\n"
    )
    pid = tmp_path / "pid"
    try:
        async with asyncio.timeout(10):
            assert text(await python(code).get(str(pid), "")) == "v"
    finally:
        os.kill(int(pid.read_text()), 9)


def test_its_environment_is_not_shown() -> None:
    assert "canary" not in repr(CommandConfig(("op", "{path}"), (("TOKEN", "canary"),)))
