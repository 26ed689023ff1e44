"""`1mcp config reload`, `diff` and `features` with a gateway that runs."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.gateway import GatewayProcess
from tests.support.scripted import SCRIPTED

CANARY: Final = "c4n4ryC4N4RY"


def entry(**members: object) -> dict[str, Any]:
    return {"command": [sys.executable, "-S", str(SCRIPTED)], **members}


def document(**servers: object) -> dict[str, Any]:
    return {"mcpServers": servers, "configReload": {"enabled": False}}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(document(a=entry(), b=entry()), folder=tmp_path) as running:
        running.wait_settled()
        yield running


def test_diff_says_what_a_reload_then_does(gateway: GatewayProcess) -> None:
    done = gateway.command("config", "diff", "--exit-code")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("mcp.json: nothing differs, 2 servers kept\n")

    changed = document(a=entry(env={"KEY": CANARY}), c=entry())
    gateway.config_file.write_text(json.dumps({**changed, "lists": {"pageSize": 7}, "host": "::1"}))
    done = gateway.command("config", "diff")
    assert done.returncode == 0
    assert CANARY not in done.stdout
    assert [line.split(" (")[0] for line in done.stdout.splitlines()[:-1]] == [
        "+ c would be added",
        "- b would be removed",
        "~ a would begin anew: env",
        "! host 127.0.0.1 -> ::1",
        "~ lists.pageSize 100 -> 7",
    ]
    assert done.stdout.endswith("mcp.json: 3 servers and 2 settings differ, 0 servers kept\n")
    assert gateway.command("config", "diff", "--exit-code").returncode == 1
    announced = json.loads(gateway.command("config", "diff", "--json").stdout)

    done = gateway.command("config", "reload", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, announced)
    done = gateway.command("config", "diff")
    assert done.stdout.splitlines()[-1].endswith("mcp.json: 1 setting differs, 2 servers kept")


def test_a_faulty_configuration_is_told_as_check_tells_it_and_the_one_before_stays(
    gateway: GatewayProcess,
) -> None:
    gateway.config_file.write_text('{"mcpServers": {}, "prot": 1}')
    for verb in ("diff", "reload"):
        done = gateway.command("config", verb)
        assert (done.returncode, done.stderr) == (78, "")
        first, count, *rest = done.stdout.splitlines()
        assert first.endswith("mcp.json:1:20: prot: unknown key; did you mean port?")
        assert count == "1 problem"
        assert bool(rest) is (verb == "reload")
        answer = json.loads(gateway.command("config", verb, "--json").stdout)
        assert [problem["key"] for problem in answer["problems"]] == ["prot"]
    states = json.loads(gateway.command("status", "--json").stdout)["servers"]
    assert sorted(server["name"] for server in states) == ["a", "b"]


def test_features_are_those_in_force_and_not_those_of_the_file(gateway: GatewayProcess) -> None:
    gateway.config_file.write_text(json.dumps({**document(a=entry()), "features": {"alerts": False}}))
    before = json.loads(gateway.command("config", "features", "--json").stdout)
    assert before["source"] == "as the running gateway has it"
    assert {each["feature"]: each["on"] for each in before["features"]}["alerts"] is True
    assert gateway.command("config", "reload").returncode == 0
    done = gateway.command("config", "features")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("alerts ")]
    assert line.split()[1] == "off"
    assert "mcp.json:1" in line
