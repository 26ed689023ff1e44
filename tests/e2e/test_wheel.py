"""The wheel that is built from this tree, installed with the locked requirements into an environment of its own."""

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess, environment
from tests.support.machine import ROOT
from tests.support.scripted import command

from onemcp import __version__

pytestmark = pytest.mark.timeout(300)

INSTALL_LIMIT = 240
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


class WheelGateway(GatewayProcess):
    """A gateway started by the console script of the wheel."""

    def __init__(self, script: Path, config: dict[str, object], *, folder: Path) -> None:
        super().__init__(config, folder=folder)
        self.script = script

    def command_line(self) -> Sequence[str]:
        """The script in the place of this interpreter."""
        return [str(self.script), *super().command_line()[3:]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, just built."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [*PIP, "wheel", str(ROOT), "--no-deps", "--wheel-dir", str(folder)], check=True, timeout=INSTALL_LIMIT
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment in which nothing but the wheel and its locked requirements is installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    install = [*PIP, "--python", str(folder / "bin" / "python"), "install"]
    locked = ["--require-hashes", "--requirement", str(ROOT / "requirements" / "run.txt")]
    subprocess.run([*install, *locked], check=True, timeout=INSTALL_LIMIT)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True, timeout=INSTALL_LIMIT)
    return folder / "bin"


def run(*argv: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command in an empty folder."""
    return subprocess.run(
        list(map(str, argv)),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=WAIT_LIMIT,
        check=False,
    )


def test_the_wheel_holds_the_package_and_what_belongs_to_it(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "onemcp/py.typed" in names
    assert "onemcp/upstream/watchdog_main.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {"onemcp", f"onemcp-{__version__}.dist-info"}


@pytest.mark.parametrize("script", ["1mcp", "onemcp"])
def test_its_scripts_tell_of_themselves(bin_folder: Path, tmp_path: Path, script: str) -> None:
    version = run(bin_folder / script, "--version", folder=tmp_path)
    assert (version.returncode, version.stdout) == (0, f"onemcp {__version__}\n")
    shown = run(bin_folder / script, "--help", folder=tmp_path)
    assert shown.returncode == 0
    assert "serve" in shown.stdout


def test_what_runs_is_what_was_installed(bin_folder: Path, tmp_path: Path) -> None:
    where = run(bin_folder / "python", "-c", "import onemcp; print(onemcp.__file__)", folder=tmp_path)
    assert Path(where.stdout).is_relative_to(bin_folder.parent)


def test_without_a_configuration_it_shows_one_to_paste(bin_folder: Path, tmp_path: Path) -> None:
    done = run(bin_folder / "1mcp", folder=tmp_path)
    assert done.returncode == 78
    assert "mcpServers" in done.stderr


def test_it_serves_from_an_empty_folder(bin_folder: Path, tmp_path: Path) -> None:
    config: dict[str, object] = {"mcpServers": {"a": {"command": command()}}}
    with WheelGateway(bin_folder / "1mcp", config, folder=tmp_path) as gateway:
        gateway.wait_settled()
        reach = ("--state-dir", gateway.state_dir)
        status = run(bin_folder / "1mcp", "status", "--json", *reach, folder=tmp_path)
        (server,) = json.loads(status.stdout)["servers"]
        assert (server["name"], server["state"]) == ("a", "ready")
        called = run(bin_folder / "1mcp", "run", "a/echo", "--args", '{"x": 1}', *reach, folder=tmp_path)
        assert called.returncode == 0
        assert '"x": 1' in called.stdout
        assert gateway.stop() == 0
