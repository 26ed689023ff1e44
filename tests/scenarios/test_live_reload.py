"""One reload for one change, whatever way the files are changed, and none for what is no change."""

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest
from tests.support.gateway import WAIT_LIMIT, GatewayProcess
from tests.support.live import LOOKS, Live, asked, entry, environment_of, eventually, pid_of
from tests.support.machine import PROC
from tests.support.talk import CONTENT, META, rpc

BASE: Final[dict[str, Any]] = {
    "mcpServers": {"stays": entry(), "changes": entry(env={"MARK": "0"})},
    "configReload": {"debounce": 50},
    "health": {"infoLevel": "full"},
    "alerts": {"rules": {"config_reload_failed": {"for": 0, "cooldown": 0}}},
}
marks = iter(range(1, 1000))


def changed(**more: object) -> dict[str, Any]:
    """The configuration with another mark, as nobody had it before."""
    servers = {**BASE["mcpServers"], "changes": entry(env={"MARK": str(next(marks))})}
    return {**BASE, "mcpServers": servers, **more}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "mcp.test.json").write_text("{}")
    with GatewayProcess(BASE, "--environment", "test", folder=folder) as gateway:
        gateway.wait_settled()
        live = Live(gateway)
        yield live
        time.sleep(LOOKS)  # whatever was done to the files has been seen by now
        live.settled()


@pytest.fixture
def live(running: Live) -> Iterator[Live]:
    """The gateway; whatever a test does, `stays` keeps its process."""
    pid = running.pid("stays")
    yield running
    assert running.pid("stays") == pid


def test_a_file_that_is_written(live: Live) -> None:
    before = live.pid("changes")
    with live.reloads():
        live.write("mcp.json", changed())
    assert live.pid("changes") != before


def test_a_file_that_is_put_in_the_place_of_another(live: Live) -> None:
    with live.reloads():
        live.put(changed())


def test_an_editor_that_puts_the_old_one_aside(live: Live) -> None:
    with live.reloads():
        file, backup = live.folder / "mcp.json", live.folder / "mcp.json~"
        (live.folder / "4913").write_text("")  # how vim looks whether it may write here
        (live.folder / "4913").unlink()
        file.rename(backup)
        live.write("mcp.json", changed())
        backup.unlink()


def test_a_file_that_is_written_in_two_halves(live: Live) -> None:
    with live.reloads():
        live.put(changed(configReload={"debounce": 2000}))
    text = json.dumps(changed())
    with live.reloads(), (live.folder / "mcp.json").open("w") as stream:
        stream.write(text[: len(text) // 2])
        stream.flush()
        time.sleep(1.2)  # long enough to be looked at, and too short to be taken for the whole
        stream.write(text[len(text) // 2 :])


def test_half_a_file_is_refused_and_the_whole_of_it_is_taken(live: Live) -> None:
    text = json.dumps(changed())
    before = live.pid("changes")
    with live.reloads(0, 1):
        live.put(text[: len(text) // 2])
    assert live.pid("changes") == before
    with live.reloads():
        live.put(text)
    assert live.pid("changes") != before


def test_what_is_no_change_is_no_reload(live: Live) -> None:
    file = live.folder / "mcp.json"
    with live.reloads(0):
        file.touch()
        live.put(file.read_text())
        (live.folder / "notes.txt").write_text("nothing")
        (live.folder / ".mcp.json.swp").write_text("nothing")
        (live.folder / "other.json").write_text("{}")
        (live.folder / "mcp.staging.json").write_text('{"mcpServers": {"more": {"command": "x"}}}')
        time.sleep(LOOKS)


def test_a_file_that_is_gone_is_told_until_it_is_back(live: Live) -> None:
    file = live.folder / "mcp.json"
    text = file.read_text()
    pid = live.pid("changes")
    with live.reloads(0, 1):
        file.unlink()
    assert "there is no such file" in live.health()["configuration"]["lastReloadError"]
    assert "config_reload_failed" in live.gateway.command("alerts").stdout
    with live.reloads():
        file.write_text(text)
    assert "lastReloadError" not in live.health()["configuration"]
    eventually(lambda: "config_reload_failed" not in live.gateway.command("alerts").stdout, "it stays raised")
    assert live.pid("changes") == pid


def test_a_key_that_stands_there_twice_is_refused_with_its_place(live: Live) -> None:
    text = json.dumps(changed())
    with live.reloads(0, 1):
        live.put('{\n "port": 1,\n "port": 2,' + text[1:])
    assert "mcp.json:3:2: port" in live.gateway.stderr
    with live.reloads():
        live.put(text)


def test_a_file_that_is_too_large_is_refused(live: Live) -> None:
    text = json.dumps(changed())
    with live.reloads(0, 1):
        live.put(text + " " * (10 * 1024 * 1024))
    assert "the file is larger than 10 MiB" in live.gateway.stderr
    with live.reloads():
        live.put(text)


def test_calls_are_answered_while_a_file_of_ten_megabytes_is_read(live: Live) -> None:
    size = 10 * 1024 * 1024
    remarks = ",".join(f'"{"remark " * 12}"' for _ in range(80_000))
    text = json.dumps(changed(_remarks=["HERE"])).replace('"HERE"', remarks)
    text += " " * (size - len(text) - 1)
    over, calls = threading.Event(), 0

    def call() -> None:
        nonlocal calls
        message, headers = asked("stays")
        with httpx2.Client() as http:
            while not over.is_set():
                assert pid_of(http.post(live.gateway.url, json=message, headers=headers, timeout=WAIT_LIMIT))
                calls += 1

    thread = threading.Thread(target=call)
    with live.reloads():
        live.put(text)
        thread.start()
        try:
            eventually(lambda: live.told() > live.expected, "it is not read")
        finally:
            over.set()
            thread.join(WAIT_LIMIT)
    assert calls > 10
    with live.reloads():
        live.put(changed())


@PROC.mark
def test_a_reference_whose_value_is_another_one_in_the_file_of_values(live: Live) -> None:
    servers = {**BASE["mcpServers"], "changes": entry(env={"MARK": "${MARK:-none}"})}
    with live.reloads():
        live.put({**BASE, "mcpServers": servers})
    assert environment_of(live.pid("changes"))["MARK"] == "none"
    with live.reloads():
        live.write(".env", "MARK=one\n")
    assert environment_of(live.pid("changes"))["MARK"] == "one"
    with live.reloads():
        live.put("MARK=two\n", ".env")
    assert environment_of(live.pid("changes"))["MARK"] == "two"
    with live.reloads():
        (live.folder / ".env").unlink()
    assert environment_of(live.pid("changes"))["MARK"] == "none"


@PROC.mark
def test_fragments_that_come_change_and_go(live: Live) -> None:
    fragments = live.folder / "conf.d"
    with live.reloads():
        live.write("conf.d/10-more.json", {"mcpServers": {"more": entry(env={"MARK": "one"})}})
    first = live.pid("more")
    with live.reloads():
        live.write("conf.d/20-more.json", {"mcpServers": {"more": {"tags": ["web"]}}})
    assert live.pid("more") == first
    with live.reloads():
        live.write("conf.d/10-more.json", {"mcpServers": {"more": entry(env={"MARK": "two"})}})
    assert environment_of(live.pid("more"))["MARK"] == "two"
    with live.reloads():
        for each in fragments.iterdir():
            each.unlink()
        fragments.rmdir()
    assert "more" not in live.gateway.command("status").stdout


@PROC.mark
def test_the_overlay_of_the_environment(live: Live) -> None:
    with live.reloads():
        live.put(changed())
    with live.reloads():
        live.put({"mcpServers": {"changes": {"env": {"MARK": "overlaid"}}}}, "mcp.test.json")
    assert environment_of(live.pid("changes"))["MARK"] == "overlaid"
    with live.reloads():
        live.put("{}", "mcp.test.json")
    assert environment_of(live.pid("changes"))["MARK"] != "overlaid"


def page(live: Live) -> httpx2.Response:
    """A page of the tools, asked for by another name than this machine's own."""
    message = rpc("tools/list", _meta=META)
    headers = {**CONTENT, "host": "gateway.example.com", "mcp-protocol-version": "2026-07-28"}
    url = f"{live.gateway.url}?pagination=true"
    return httpx2.post(url, json=message, headers={**headers, "mcp-method": "tools/list"})


def test_settings_count_at_once_or_are_told_to_need_a_restart(live: Live) -> None:
    with live.reloads():
        live.put(changed(health={"infoLevel": "minimal"}))
    assert page(live).status_code == 403
    assert "system" not in live.health()
    settings = {
        "allowedHosts": ["gateway.example.com"],
        "lists": {"pageSize": 1},
        "logging": {"level": "debug"},
        "names": {"limit": 32},
        "limits": {"messageBytes": 2_000_000},
    }
    with live.reloads():
        live.put(changed(**settings))
    assert len(page(live).json()["result"]["tools"]) == 1
    assert "process" in live.health()["system"]
    assert live.gateway.command("log-level").stdout.startswith("the log level is debug")
    waiting = re.findall(r"(\S+) \(\S+mcp\.json:\d+\) counts only after a restart", live.gateway.stderr)
    assert waiting == ["names.limit", "limits.messageBytes"]
    with live.reloads():
        live.put(changed(logging={"level": "info"}))
    assert page(live).status_code == 403
