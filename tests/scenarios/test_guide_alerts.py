"""The promises of docs/guide.md about alerts, kept by a real gateway and a real webhook."""

import json
from pathlib import Path

from tests.support.guide import GUIDE, GuideGateway, examples
from tests.support.webhook_sink import WebhookSink, of

PAGE = examples(GUIDE)
START = PAGE["start"].command()


def test_the_webhook_of_the_page_is_told_and_the_commands_work(tmp_path: Path) -> None:
    config = PAGE["alerts"].text.replace('"url"', '"allowPrivate": true, "url"')
    with WebhookSink() as sink:
        with GuideGateway(START, config, folder=tmp_path, environ={"ALERT_WEBHOOK": sink.url}) as gateway:
            gateway.wait_settled()
            sink.wait_for(of("instance_started"))
            test, listed, history = map(gateway.type, PAGE["alert-commands"].commands())
        assert [done.returncode for done in (test, listed, history)] == [0, 0, 0]
    assert "took it" in test.stdout
    assert "nothing is raised" in listed.stdout
    assert "instance_started" in history.stdout
    assert [alert["kind"] for alert in sink.taken] == ["instance_started", "test", "instance_draining"]
    assert json.loads(config)["mcpServers"]
