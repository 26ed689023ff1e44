"""compose.yaml keeps to the Compose Specification, and to what the other files say."""

import re

import pytest
import yaml
from compose_pydantic import ComposeSpecification  # type: ignore[import-untyped]  # it has no marker
from pydantic import ValidationError
from tests.support.deployment import COMPOSE, SERVICES
from tests.support.guide import GUIDE, examples
from tests.support.machine import ROOT

from onemcp.config import document
from onemcp.config.settings import resolve


def test_it_keeps_to_the_specification() -> None:
    ComposeSpecification.model_validate(COMPOSE)
    with pytest.raises(ValidationError):
        ComposeSpecification.model_validate({"services": {"a": {"image": "b", "imagine": "c"}}})


def test_the_check_of_the_gateway_is_the_one_of_the_guide() -> None:
    printed = yaml.safe_load(examples(GUIDE)["healthcheck"].text)["healthcheck"]
    found = dict(SERVICES["onemcp"]["healthcheck"])
    assert found.pop("start_period")
    assert found == printed


def test_the_gateway_starts_when_the_server_behind_it_is_healthy() -> None:
    assert SERVICES["onemcp"]["depends_on"] == {"clock": {"condition": "service_healthy"}}
    assert SERVICES["clock"]["healthcheck"]
    config = (ROOT / "deploy" / "compose" / "config" / "mcp.json").read_text()
    read = document.read(config, "mcp.json", {})
    assert [(spec.name, spec.fault) for spec in read.specs] == [("clock", None)]
    assert "http://clock:8000/mcp" in config


def test_only_this_machine_reaches_a_gateway_without_authentication() -> None:
    for service in SERVICES.values():
        for published in service.get("ports", ()):
            assert published.startswith("127.0.0.1:")


def test_what_is_mounted_from_the_tree_is_there_and_read_only_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, mode = volume.split(":") if volume.count(":") == 2 else (*volume.split(":"), "")
            if source.startswith("./"):
                assert (ROOT / source).exists()
                assert mode == "ro"
            else:
                assert source in COMPOSE["volumes"]


def test_it_is_given_longer_to_stop_than_it_takes_by_itself() -> None:
    settings = resolve({}, {})
    seconds = float(SERVICES["onemcp"]["stop_grace_period"].removesuffix("s"))
    assert seconds >= (settings.drain_min + settings.drain_timeout) / 1000 + 10


@pytest.mark.parametrize("name", ["onemcp", "clock"])
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_prometheus_scrapes_the_gateway_under_a_name_that_is_allowed_with_the_rules_of_the_tree() -> None:
    assert SERVICES["prometheus"]["profiles"] == ["monitoring"]
    scraping = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yml").read_text())
    (job,) = scraping["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert target == f"{SERVICES['onemcp']['environment']['ONE_MCP_ALLOWED_HOSTS']}:3050"
    (rules,) = scraping["rule_files"]
    places = [re.split(":", volume)[1] for volume in SERVICES["prometheus"]["volumes"]]
    assert f"/etc/prometheus/{rules}" in places
