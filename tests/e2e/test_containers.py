"""What the files of deployment say, run: the images are made, and their commands are processes with what is said.

There is no engine: tests/support/images.py and containers.py stand in for it.
"""

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.containers import TMPFS, Container
from tests.support.deployment import CONTAINER, MANIFESTS, POD, POD_ENVIRONMENT, SERVICES, unit
from tests.support.images import Image, build
from tests.support.machine import CONTAINERS, ROOT

from onemcp import __version__

pytestmark = [CONTAINERS.mark, pytest.mark.timeout(300)]

STATE: Final = "/var/lib/onemcp"
ALLOWED: Final = {"ONE_MCP_ALLOW_UNAUTHENTICATED": "true"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The gateway's image, just built."""
    folder = tmp_path_factory.mktemp("gateway")
    yield build(ROOT / "Dockerfile", ROOT, folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of the server of compose.yaml, just built."""
    folder = tmp_path_factory.mktemp("clock")
    yield build(ROOT / "deploy" / "compose" / "clock" / "Dockerfile", ROOT, folder)
    shutil.rmtree(folder)


@pytest.fixture
def state(image: Image, tmp_path: Path) -> Path:
    """A new volume, which begins with the rights that its place has in the image, as Docker's do."""
    there = image.at(STATE).stat()
    folder = tmp_path / "state"
    folder.mkdir(there.st_mode & 0o777)
    os.chown(folder, there.st_uid, there.st_gid)
    return folder


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A folder to be seen as /etc/onemcp, with an `mcp.json` without servers."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "mcp.json").write_text('{"mcpServers": {}}')
    return folder


def test_the_image_has_the_gateway_and_nobody_but_root_may_change_it(image: Image) -> None:
    with Container(image, ["--version"]) as container:
        assert container.wait() == 0
        assert container.output.endswith(f"onemcp {__version__}\n")
    assert not any(path.stat().st_uid for path in image.at("/opt/onemcp").rglob("*") if path.is_file())


def test_by_itself_it_refuses_to_serve_others_without_authentication(
    image: Image, configuration: Path
) -> None:
    with Container(image, volumes={"/etc/onemcp": configuration}) as container:
        assert container.wait() != 0
        assert "--allow-unauthenticated" in container.output


def test_it_serves_from_a_read_only_root_as_its_own_user_and_stops_in_order(
    image: Image, configuration: Path, state: Path
) -> None:
    volumes = {"/etc/onemcp": configuration, STATE: state, "/tmp": TMPFS}
    with Container(image, env=ALLOWED, volumes=volumes) as container:
        container.until("curl", "-f", "http://localhost:3050/health")
        assert container.run("touch", "/opt/onemcp/new").returncode != 0
        assert container.run("id", "--user").stdout == "10001\n"
        container.until("1mcp", "status")
        status = container.run("cat", "/proc/1/status").stdout
        assert re.findall(r"Cap(?:Prm|Eff|Bnd):\s*0*$", status, re.MULTILINE)
        container.signal(signal.SIGTERM)
        assert container.wait() == 0
    assert (state / "store.db").stat().st_uid == 10001


def test_what_a_server_leaves_behind_is_reaped(image: Image, configuration: Path, state: Path) -> None:
    volumes = {"/etc/onemcp": configuration, STATE: state, "/tmp": TMPFS}
    with Container(image, env=ALLOWED, volumes=volumes) as container:
        container.until("curl", "-f", "http://localhost:3050/health/live")
        assert container.run("sh", "-c", "setsid -f true").returncode == 0
        container.until("sh", "-c", "! grep -l '^State:.Z' /proc/[0-9]*/status")


def test_compose_a_call_goes_through_the_gateway_to_the_server(
    image: Image, clock: Image, state: Path
) -> None:
    server, gateway = SERVICES["clock"], SERVICES["onemcp"]
    names = list(SERVICES)
    folders = {}
    for volume in gateway["volumes"]:
        source, place = volume.split(":")[:2]
        folders[place] = ROOT / source if source.startswith("./") else state
    with Container(clock, volumes={server["tmpfs"]: TMPFS}, names=names) as behind:
        behind.until(*server["healthcheck"]["test"][1:])
        front = Container(image, (), gateway["environment"], {**folders, gateway["tmpfs"]: TMPFS}, names)
        front.beside = behind
        with front:
            front.until(*gateway["healthcheck"]["test"][1:])
            front.until("1mcp", "status")
            called = front.run("1mcp", "run", "clock/now", "--args", '{"timezone": "Asia/Tokyo"}')
            assert called.stdout.rstrip().endswith("+09:00"), called.stderr
            front.until("curl", "-f", "http://onemcp:3050/metrics")
            front.signal(signal.SIGTERM)
            assert front.wait() == 0


def test_kubernetes_the_probes_succeed_in_the_pod_as_it_is_described(
    image: Image, configuration: Path, state: Path
) -> None:
    os.chown(state, 0, POD["securityContext"]["fsGroup"])  # as the kubelet lays a volume
    state.chmod(0o2770)
    written = json.loads(MANIFESTS["ConfigMap"]["data"]["mcp.json"])
    (configuration / "mcp.json").write_text(json.dumps(written))
    secrets = state.parent / "secrets"
    secrets.mkdir()
    for name, value in MANIFESTS["Secret"]["stringData"].items():
        (secrets / name).write_text(value)
    sources = {"configuration": configuration, "secrets": secrets, "state": state, "scratch": TMPFS}
    volumes = {mount["mountPath"]: sources[mount["name"]] for mount in CONTAINER["volumeMounts"]}
    env = POD_ENVIRONMENT
    with Container(image, CONTAINER["args"], env, volumes) as pod:
        for probe in ("readinessProbe", "livenessProbe"):
            asked = CONTAINER[probe]["httpGet"]
            url = f"http://127.0.0.1:{asked['port']}{asked['path']}"
            pod.until("curl", "-f", "--header", f"Host: 10.42.0.17:{asked['port']}", url)
        refused = pod.run("curl", "-s", "--header", "Host: elsewhere:3050", "http://localhost:3050/mcp")
        assert "elsewhere:3050 is not allowed" in refused.stdout
        for name in env["ONE_MCP_ALLOWED_HOSTS"].split(","):
            metrics = ("curl", "-f", "--header", f"Host: {name}:3050", "http://localhost:3050/metrics")
            assert pod.run(*metrics).returncode == 0
        pod.until("sh", "-c", "1mcp status --json | grep -q docs")
        written["mcpServers"]["another"] = written["mcpServers"]["docs"]
        (configuration / "mcp.json").write_text(json.dumps(written))
        pod.until("sh", "-c", "1mcp status --json | grep -q another")
        assert json.loads(pod.run("curl", "http://localhost:3050/health/ready").stdout)["status"] == "ready"


def test_systemd_what_the_unit_starts_serves_with_the_environment_that_it_has(
    image: Image, configuration: Path, state: Path
) -> None:
    env = dict(pair.split("=", 1) for pair in shlex.split(unit("Environment")))
    env["ONE_MCP_STATE_DIR"] = env["ONE_MCP_STATE_DIR"].replace("%S", "/var/lib")
    bare = Image(image.folder, user=image.user, workdir="/")
    volumes = {"/etc/onemcp": configuration, STATE: state, "/tmp": TMPFS}
    with Container(bare, shlex.split(unit("ExecStart")), env, volumes) as service:
        service.until("curl", "-f", "http://localhost:3050/health/ready")
        program = shlex.split(unit("ExecStart"))[0]
        assert service.run(program, "status").returncode == 0
        service.signal(signal.SIGHUP)
        service.signal(signal.SIGTERM)
        assert service.wait() == 0
