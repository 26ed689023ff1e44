"""Starting children, and what is said when one cannot be started."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from onemcp.errors import Reason, UpstreamError
from onemcp.upstream import child as child_module
from onemcp.upstream.child import Child, Launch, ending

pytestmark = pytest.mark.anyio


def nothing(_: bytes) -> None:
    return


async def spawn(launch: Launch) -> Child:
    return await Child.spawn(launch, {}, nothing, nothing)


def script(folder: Path, text: str, mode: int = 0o755) -> Path:
    path = folder / "server"
    path.write_text(text)
    path.chmod(mode)
    return path


def no_such_command(folder: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("nowhere",), {"PATH": f"{folder}:/none"}),
        'command "nowhere" was not found on PATH; install it or give its full path',
    )


def no_path_at_all(_: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("nowhere",), {}),
        'command "nowhere" was not found on PATH; install it or give its full path',
    )


def not_executable_on_path(folder: Path) -> tuple[Launch, str]:
    path = script(folder, "#!/bin/sh\n", 0o644)
    return (
        Launch("one", ("server",), {"PATH": str(folder)}),
        f'command "server" is not executable ({path}); make it so (chmod +x)',
    )


def no_such_file(folder: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("./server",), {}, str(folder)),
        'command "./server" does not exist; install it or correct "command"',
    )


def a_folder(folder: Path) -> tuple[Launch, str]:
    return (
        Launch("one", (str(folder),), {}),
        f'command "{folder}" is a folder, not a program; correct "command"',
    )


def not_executable(folder: Path) -> tuple[Launch, str]:
    path = script(folder, "#!/bin/sh\n", 0o644)
    return (
        Launch("one", (str(path),), {}),
        f'command "{path}" is not executable; make it so (chmod +x) or start it by its interpreter',
    )


def no_interpreter(folder: Path) -> tuple[Launch, str]:
    path = script(folder, "#!/nowhere/python\n")
    return (
        Launch("one", (str(path),), {}),
        f'command "{path}" cannot be run: the interpreter that its first line names was not found',
    )


def no_command(_: Path) -> tuple[Launch, str]:
    return Launch("one", (), {}), 'has no command; give it a "command"'


def no_such_folder(folder: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("ls",), {}, f"{folder}/gone"),
        f'the working directory "{folder}/gone" does not exist; create it or correct "cwd"',
    )


def a_file_for_a_folder(folder: Path) -> tuple[Launch, str]:
    path = script(folder, "")
    return (
        Launch("one", ("ls",), {}, str(path)),
        f'the working directory "{path}" is not a folder; create it or correct "cwd"',
    )


def a_nul(_: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("ls", "a\0b"), {"PATH": os.defpath}),
        "its command, arguments or environment hold a NUL character; take it out",
    )


def too_long(_: Path) -> tuple[Launch, str]:
    return (
        Launch("one", ("ls", "a" * 4_000_000), {"PATH": os.defpath}),
        'command "ls" cannot be run: Argument list too long',
    )


@pytest.mark.parametrize(
    "case",
    [
        no_such_command,
        no_path_at_all,
        not_executable_on_path,
        no_such_file,
        a_folder,
        not_executable,
        no_interpreter,
        no_command,
        no_such_folder,
        a_file_for_a_folder,
        a_nul,
        too_long,
    ],
)
async def test_what_cannot_be_started_says_why(
    case: Callable[[Path], tuple[Launch, str]], tmp_path: Path
) -> None:
    launch, sentence = case(tmp_path)
    with pytest.raises(UpstreamError) as caught:
        await spawn(launch)
    assert str(caught.value) == f"one: {sentence}"
    assert (caught.value.reason, caught.value.ran) == (Reason.UNFIT, False)


async def test_a_full_machine_is_no_reason_to_give_up() -> None:
    error = Launch("one", ("ls",), {}).explain(BlockingIOError(11, "Resource temporarily unavailable"))
    assert (error.reason, error.ran) == (Reason.UNREACHABLE, False)
    assert error.what == 'command "ls" cannot be run: Resource temporarily unavailable'


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-signal.SIGSEGV, "was ended by signal SIGSEGV"),
        (-99, "was ended by signal 99"),
    ],
)
def test_an_ending_is_told_in_words(status: int, sentence: str) -> None:
    assert ending(status) == sentence


async def test_a_child_gets_no_shell_no_foreign_variable_and_no_descriptor() -> None:
    said = bytearray()
    code = "import os, sys; print(sys.argv[1:], sorted(os.environ.items()), os.getcwd(), os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd'))[:-1])"
    given = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(given, True)
    child_module._keep_descriptors.cache_clear()
    try:
        child = await Child.spawn(
            Launch("one", (sys.executable, "-S", "-c", code, "$HOME; ls"), {"A": "1"}, "/"),
            {"MARK": "x"},
            said.extend,
            nothing,
        )
        async with asyncio.timeout(10):
            await child.drained
        await child.stop(1)
    finally:
        os.close(given)
    told = said.decode().strip()
    assert told.startswith("['$HOME; ls'] [('A', '1'), ")
    assert "('MARK', 'x')] / True ['0', '1', '2'" in told
    assert "PATH" not in told
    assert f"'{given}'" not in told


async def test_a_child_that_ends_on_the_end_of_its_input_needs_no_signal() -> None:
    child = await spawn(Launch("one", ("/bin/cat",), {}))
    await child.stop(10)
    assert child.exited.result() == 0
    assert not child.write(b"too late\n")
    assert child.backlog == 0


async def test_a_child_that_ends_on_sigterm_is_not_killed() -> None:
    child = await spawn(Launch("one", ("/bin/sleep", "600"), {}))
    await child.stop(0.05)
    assert child.exited.result() == -signal.SIGTERM


async def test_a_stop_that_is_cancelled_kills_at_once() -> None:
    child = await spawn(Launch("one", ("/bin/sh", "-c", "trap '' TERM; while :; do sleep 600; done"), {}))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await child.stop(600)
    async with asyncio.timeout(10):
        assert await child.exited == -signal.SIGKILL
