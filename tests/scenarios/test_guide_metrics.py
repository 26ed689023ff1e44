"""What docs/guide.md and docs/monitor.md say of metrics, kept by a real gateway."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml
from tests.support.guide import DOCS, GUIDE, Command, GuideGateway, examples
from tests.support.metrics import scrape
from tests.support.scripted import command

PAGE: Final = examples(GUIDE)
ROOT: Final = DOCS.parent


def test_the_command_of_the_page_shows_calls_servers_and_process(tmp_path: Path) -> None:
    (asked,) = PAGE["metrics"].commands()
    with GuideGateway(
        PAGE["start"].command(), {"mcpServers": {"time": {"command": command()}}}, folder=tmp_path
    ) as gateway:
        gateway.wait_settled()
        assert gateway.type(Command(("1mcp", "run", "time/echo"))).returncode == 0
        assert urlsplit(asked.argv[-1]).path == "/metrics"
        found = scrape(gateway.base)
    assert found.value("onemcp_calls_total", upstream="time", outcome="ok") == 1
    assert found.value("mcp_server_operation_duration_seconds_count", upstream="time") == 1
    assert found.value("onemcp_upstream_state", upstream="time", state="ready") == 1
    assert found.value("process_resident_memory_bytes") > 1 << 20


def test_the_files_that_the_pages_name_are_there() -> None:
    page = (DOCS / "monitor.md").read_text(encoding="utf-8")
    for name in ("deploy/grafana/onemcp.json", "deploy/prometheus/onemcp.rules.yml"):
        assert f"`{name}`" in page
        assert (ROOT / name).is_file()


def test_the_sample_for_prometheus_has_the_job_that_the_rules_expect() -> None:
    page = (DOCS / "monitor.md").read_text(encoding="utf-8")
    sample = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    (job,) = sample["scrape_configs"]
    assert job["job_name"] == "onemcp"
    assert sample["rule_files"] == ["onemcp.rules.yml"]
