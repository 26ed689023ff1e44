"""Alerts from a real gateway to a real webhook: whatever the servers, the webhook or the gateway go through."""

import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.gateway import GatewayProcess
from tests.support.scripted import command
from tests.support.webhook_sink import WebhookSink, of

SECRET: Final = "a secret of more than sixteen"
AT_ONCE: Final = {"for": 0, "cooldown": 0}


def entry(*arguments: object, **more: object) -> dict[str, object]:
    program, *rest = command(*arguments)
    return {"command": program, "args": rest, **more}


def config(
    servers: Mapping[str, object],
    webhooks: list[dict[str, object]],
    rules: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Servers, webhooks on this machine, and rules without delay unless others are given."""
    usual = {"server_down": AT_ONCE, "server_needs_authorization": AT_ONCE, "config_reload_failed": AT_ONCE}
    hooks = [{"allowPrivate": True, "timeout": 2000, **webhook} for webhook in webhooks]
    return {"mcpServers": servers, "alerts": {"webhooks": hooks, "rules": {**usual, **(rules or {})}}}


def child(gateway: GatewayProcess) -> int:
    """The process of the server `alpha`."""
    done = gateway.command("run", "alpha/echo", "--json")
    pid: int = json.loads(done.stdout)["structuredContent"]["pid"]
    return pid


def eventually(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_a_server_that_dies_and_comes_back_is_told_once_and_cleared_once(tmp_path: Path) -> None:
    with WebhookSink() as sink:
        setup = config({"alpha": entry("--name", "alpha")}, [{"url": sink.url, "secret": SECRET}])
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            gateway.wait_settled()
            os.kill(child(gateway), signal.SIGKILL)
            raised = sink.wait_for(of("server_down"))
            cleared = sink.wait_for(of("server_recovered", "cleared"))
            listed = gateway.command("alerts")
            history = json.loads(gateway.command("alerts", "history", "--json").stdout)
    down, well = raised.alert, cleared.alert
    assert (down["version"], down["subject"], down["severity"]) == (1, "alpha", "critical")
    assert down["key"] == well["key"] == "server_down/alpha"
    assert down["runbook"] == "docs/runbook/server_down.md"
    assert down["at"] <= well["at"]
    stamp = raised.headers["onemcp-timestamp"]
    mac = hmac.new(SECRET.encode(), stamp.encode() + b"." + raised.body, hashlib.sha256).hexdigest()
    assert raised.headers["onemcp-signature"] == f"sha256={mac}"
    assert raised.headers["onemcp-id"] == down["id"]
    kinds = [alert["kind"] for alert in sink.taken]
    assert kinds == ["instance_started", "server_down", "server_recovered", "instance_draining"]
    assert listed.returncode == 0, listed.stdout
    assert "nothing is raised" in listed.stdout
    assert [alert["kind"] for alert in history["alerts"]] == kinds[2::-1]


def test_a_server_that_flaps_is_told_as_flapping_once_and_not_as_down(tmp_path: Path) -> None:
    rules = {"server_down": {"for": 20_000}, "server_flapping": {"threshold": 3, "for": 60_000}}
    with WebhookSink() as sink:
        server = entry("--name", "alpha", restartDelay=1)
        setup = config(
            {"alpha": server}, [{"url": sink.url, "kinds": ["server_flapping", "server_down"]}], rules
        )
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            gateway.wait_settled()
            for _ in range(4):
                os.kill(child(gateway), signal.SIGKILL)
            sink.wait_for(of("server_flapping"))
            assert child(gateway)
            listed = gateway.command("alerts", "list", "--json")
    assert [alert["kind"] for alert in sink.taken] == ["server_flapping"]
    assert listed.returncode == 1
    assert [one["kind"] for one in json.loads(listed.stdout)["raised"]] == ["server_flapping"]


def test_a_webhook_that_fails_redirects_and_recovers_gets_each_alert_under_its_one_id(tmp_path: Path) -> None:
    with WebhookSink(behaviour=500) as sink, WebhookSink() as other:
        setup = config({}, [{"url": sink.url}, {"url": other.url}])
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            # The other webhook does not wait for the one that fails.
            other.wait_for(of("instance_started"))
            sink.wait_for(lambda request: request.answered == 500)
            sink.behaviour = 302
            sink.wait_for(lambda request: request.answered == 302)
            sink.behaviour = 0
            sink.wait_for(lambda request: request.answered == 0)
            assert gateway.command("status").returncode == 0
            sink.behaviour = 200
            sink.wait_for(of("instance_started"))
    assert {request.path for request in sink.requests} == {"/hook"}
    started = [r.alert["id"] for r in sink.requests if r.alert["kind"] == "instance_started"]
    assert len(started) >= 4
    assert len(set(started)) == 1
    assert started[0] == other.taken[0]["id"]


def test_what_a_killed_gateway_had_to_tell_the_next_process_tells(tmp_path: Path) -> None:
    with WebhookSink() as sink:
        port, url = sink.port, sink.url
    setup = config({"dead": {"command": "no-such-program"}}, [{"url": url, "kinds": ["server_down"]}])
    gateway = GatewayProcess(setup, folder=tmp_path)
    with gateway:

        def waiting() -> int:
            (webhook,) = json.loads(gateway.command("alerts", "--json").stdout)["webhooks"]
            return int(webhook["waiting"]) if webhook["error"] else 0

        eventually(lambda: waiting() == 1, "an alert waits for the webhook")
        (told,) = json.loads(gateway.command("alerts", "history", "--json").stdout)["alerts"][:1]
        gateway.kill()
        with WebhookSink(port) as sink:
            gateway.start()
            received = sink.wait_for(of("server_down"))
            # The condition goes on; that it was raised is known, so it is not raised anew.
            raised = json.loads(gateway.command("alerts", "--json").stdout)["raised"]
            gateway.stop()
    assert told["kind"] == "server_down"
    assert received.alert["id"] == told["id"]
    assert [alert["id"] for alert in sink.taken] == [told["id"]]
    assert [(one["kind"], one["subject"]) for one in raised] == [("server_down", "dead")]


def test_a_reload_that_fails_is_told_and_cleared_by_one_that_does_not(tmp_path: Path) -> None:
    with WebhookSink() as sink:
        setup = config({"gone": {"command": "${NOT_THERE}"}}, [{"url": sink.url}])
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            unresolved = sink.wait_for(of("secret_unresolved")).alert
            good = gateway.config_file.read_text()
            gateway.config_file.write_text("{")
            gateway.signal(signal.SIGHUP)
            failed = sink.wait_for(of("config_reload_failed")).alert
            gateway.config_file.write_text(good.replace("${NOT_THERE}", command()[0]))
            gateway.signal(signal.SIGHUP)
            sink.wait_for(of("config_reload_failed", "cleared"))
            sink.wait_for(of("secret_unresolved", "cleared"))
    assert (unresolved["subject"], unresolved["summary"]) == ("gone", "the variable NOT_THERE is not set")
    assert str(tmp_path) not in failed["summary"]
    assert "server_down" not in [alert["kind"] for alert in sink.taken]


def test_webhooks_come_and_go_with_a_reload(tmp_path: Path) -> None:
    with WebhookSink() as first, WebhookSink() as second:
        setup = config({}, [{"url": first.url}])
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            first.wait_for(of("instance_started"))
            gateway.config_file.write_text(gateway.config_file.read_text().replace(first.url, second.url))
            gateway.signal(signal.SIGHUP)
            gateway.wait_for_output("the configuration was reloaded")
            tested = json.loads(gateway.command("alerts", "test", "--json").stdout)
            gateway.stop()
    assert tested["results"] == [{"webhook": f"http://127.0.0.1:{second.port}", "error": ""}]
    assert [alert["kind"] for alert in second.taken] == ["test", "instance_draining"]
    assert [alert["kind"] for alert in first.taken] == ["instance_started"]


def test_an_address_of_the_own_network_is_not_connected_to_unless_the_webhook_says_so(tmp_path: Path) -> None:
    with WebhookSink() as sink:
        setup = config({}, [{"url": sink.url.replace("127.0.0.1", "localhost"), "allowPrivate": False}])
        with GatewayProcess(setup, folder=tmp_path) as gateway:
            done = gateway.command("alerts", "test")
    assert done.returncode == 1
    assert "has an address that is not public" in done.stdout
    assert sink.requests == []


def test_without_a_webhook_the_history_is_kept_and_a_test_says_what_is_missing(tmp_path: Path) -> None:
    with GatewayProcess({"mcpServers": {}}, folder=tmp_path) as gateway:
        done = gateway.command("alerts", "test")
        history = gateway.command("alerts", "history")
        gateway.kill()
        gateway.start()
        after = json.loads(gateway.command("alerts", "history", "--json").stdout)
    assert done.returncode == 1
    assert "no webhook is configured" in done.stderr
    assert "instance_started" in history.stdout
    assert [alert["kind"] for alert in after["alerts"]] == ["instance_started", "instance_started"]


def test_neither_url_nor_secret_of_a_webhook_is_shown(tmp_path: Path) -> None:
    with WebhookSink(behaviour=403) as sink:
        setup = config({}, [{"url": "${HOOK}", "secret": "${HOOK_SECRET}"}])
        environ = {"HOOK": f"{sink.url}/T0K3N", "HOOK_SECRET": SECRET}
        with GatewayProcess(setup, "--log-level", "debug", folder=tmp_path, environ=environ) as gateway:
            sink.wait_for(lambda request: request.answered == 403)
            done = [gateway.command("alerts", *words) for words in ([], ["test"], ["history"], ["--json"])]
            gateway.stop()
            said = gateway.transcript() + "".join(one.stdout + one.stderr for one in done)
    assert "T0K3N" not in said
    assert SECRET not in said
    assert sink.requests[0].path == "/hook/T0K3N"
