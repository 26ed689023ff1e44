"""Settings that stand in a configuration file."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from onemcp.config.document import Document, read
from onemcp.config.settings import Settings, resolve
from onemcp.errors import ConfigError


def document(members: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Document:
    return read(json.dumps({"mcpServers": {}, **members}), "mcp.json", environ or {})


def settings(members: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    return resolve({}, {}, document(members, environ).settings)


def problems(members: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        document(members, environ)
    return [str(problem) for problem in caught.value.problems]


def test_references_in_settings_are_resolved_whatever_kind_the_setting_is() -> None:
    found = settings(
        {
            "host": "${HOST}",
            "port": "${PORT:-4000}",
            "strict": "${STRICT}",
            "allowedHosts": ["a", "${HOST}"],
            "trustProxy": "${PROXIES}",
            "health": {"unhealthyBelow": "${BELOW}"},
        },
        {"HOST": "127.0.0.2", "STRICT": "yes", "PROXIES": "10.0.0.1, 10.0.0.2", "BELOW": "0.25"},
    )
    assert (found.host, found.port, found.strict) == ("127.0.0.2", 4000, True)
    assert found.allowed_hosts == ("a", "127.0.0.2")
    assert found.trust_proxy == ("10.0.0.1", "10.0.0.2")
    assert found.health_unhealthy_below == 0.25


def test_the_value_of_a_variable_is_not_looked_at_again() -> None:
    assert settings({"host": "${A}"}, {"A": "${B}", "B": "x"}).host == "${B}"


def test_a_text_without_a_reference_is_no_number() -> None:
    assert problems({"port": "4000"}) == [
        "mcp.json:1:28: port: 4000 is not a whole number from 0 to 65535; write it without quotes"
    ]


def test_a_reference_that_cannot_be_resolved_never_falls_back() -> None:
    assert problems({"port": "${PORT}"}) == [
        "mcp.json:1:28: port: the variable PORT is not set; set it where the gateway starts, or write ${PORT:-text}"
    ]
    assert len(problems({"port": "${PORT}"}, {"PORT": "many"})) == 1


@pytest.mark.parametrize(
    ("word", "meant"), [("yes", "true"), ("on", "true"), ("No", "false"), ("off", "false")]
)
def test_a_word_that_older_yaml_takes_for_a_truth_value_is_refused_with_the_right_one(
    word: str, meant: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"mcpServers: {{}}\nstrict: {word}\n", "mcp.yaml", {})
    assert "YAML 1.2" in str(caught.value)
    assert str(caught.value).endswith(f"write {meant}")


def test_a_secret_is_refused_in_a_setting_that_is_shown() -> None:
    assert problems({"externalUrl": "https://${SECRET:host}"}) == [
        "mcp.json:1:35: externalUrl: a secret cannot stand here, since this setting is shown; use a variable, as ${NAME}"
    ]
    assert len(problems({"health": {"readyRequires": ["a", "${SECRET:b}"]}})) == 1
