"""Each promise of docs/guide.md, section "Health monitoring and observability", kept by a real gateway."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT
from tests.support.guide import GUIDE, GuideGateway, examples, free_port
from tests.support.scripted import command

PAGE: Final = examples(GUIDE)
START: Final = PAGE["start"].command()
SAMPLE: Final = json.loads(PAGE["health-answer"].text)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuideGateway]:
    """A gateway as the sample has it: `docs` cannot be reached, and one server is switched off."""
    folder = tmp_path_factory.mktemp("guide-health")
    never = {"restartDelay": 600_000}
    servers = {
        "time": {"command": command(), "tags": ["clock"]},
        "git": {"command": command(), "tags": ["code"]},
        "docs": {"url": f"http://127.0.0.1:{free_port()}/mcp", "tags": ["code"], **never},
        "off": {"command": command(), "disabled": True},
    }
    with GuideGateway(START, {"mcpServers": servers}, folder=folder) as gateway:
        gateway.wait_settled()
        yield gateway


def asked(gateway: GuideGateway, line: int) -> httpx2.Response:
    """The answer to one of the commands of the page."""
    url = PAGE["health"].commands()[line].argv[-1]
    return httpx2.get(url.replace("3050", str(gateway.port)), timeout=WAIT_LIMIT)


def shape(value: Any) -> Any:
    """Names, nesting and types; texts that are moments are of a type of their own."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shape(element) for element in value]
    is_moment = isinstance(value, str) and re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", value)
    return "moment" if is_moment else type(value).__name__


def test_health_answers_with_the_names_nesting_and_types_of_the_sample(sample: GuideGateway) -> None:
    answer = asked(sample, 0)
    assert answer.status_code == 200
    told = answer.json()
    assert json.dumps(shape(told)) == json.dumps(shape(SAMPLE)), "the order is the same, too"
    for member in ("status", "version", "configuration"):
        assert told[member] == SAMPLE[member]
    for mine, theirs in zip(told["servers"]["details"], SAMPLE["servers"]["details"], strict=True):
        assert {**mine, "lastConnected": ""} == {**theirs, "lastConnected": ""}


def test_liveness_and_readiness_do_not_depend_on_a_server(sample: GuideGateway) -> None:
    assert asked(sample, 1).json()["status"] == "alive"
    assert asked(sample, 2).json()["status"] == "ready"


def test_the_probes_are_answered_under_a_pod_s_address(sample: GuideGateway) -> None:
    paths = re.findall(r"path: (\S+)", PAGE["probes"].text)
    assert paths == ["/health/live", "/health/ready"]
    for path in paths:
        headers = {"host": "10.42.0.17:3050"}
        assert httpx2.get(f"{sample.base}{path}", headers=headers, timeout=WAIT_LIMIT).status_code == 200


def test_the_check_of_compose_succeeds_as_it_is_printed(sample: GuideGateway) -> None:
    found = re.search(r"test: (\[.*\])", PAGE["healthcheck"].text)
    assert found is not None
    kind, *argv = json.loads(found[1].replace("'", '"'))
    assert kind == "CMD"
    typed = [word.replace("3050", str(sample.port)) for word in argv]
    if shutil.which(typed[0]) is None:
        assert httpx2.get(typed[-1], timeout=WAIT_LIMIT).status_code == 200
        return
    assert subprocess.run(typed, capture_output=True, timeout=WAIT_LIMIT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("config", "status", "http"),
    [
        ({"a": {}}, "healthy", 200),
        ({"a": {}, "b": {}, "c": {"command": "no-such-program"}}, "degraded", 200),
        ({"a": {}, "c": {"command": "no-such-program"}}, "unhealthy", 503),
        ({"a": {}, "b": {}, "c": {"command": "no-such-program", "required": True}}, "unhealthy", 503),
    ],
)
def test_the_three_states_are_what_the_page_says(
    tmp_path: Path, config: dict[str, dict[str, Any]], status: str, http: int
) -> None:
    assert f"- `{status}` ({http}):" in GUIDE.read_text(encoding="utf-8")
    servers = {name: {"command": command(), **entry} for name, entry in config.items()}
    with GuideGateway(START, {"mcpServers": servers}, folder=tmp_path) as gateway:
        gateway.wait_settled()
        answer = asked(gateway, 0)
        assert (answer.json()["status"], answer.status_code) == (status, http)
        assert [asked(gateway, line).status_code for line in (1, 2)] == [200, 200]
