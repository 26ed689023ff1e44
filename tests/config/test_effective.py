"""What a configuration amounts to: every value with its place, and nothing secret."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.document import draft
from onemcp.config.effective import Value, values
from onemcp.config.jsonc import parse
from onemcp.core.redact import SECRET

CANARY: Final = "c4n4ryC4N4RY"


def of(document: object, environ: dict[str, str] | None = None) -> list[Value]:
    return list(values(parse(json.dumps(document), "mcp.json"), environ or {}))


def entry(environ: dict[str, str] | None = None, **members: object) -> dict[str, object]:
    """The values of an entry `a` by what follows its name."""
    found = of({"mcpServers": {"a": members}}, environ)
    return {value.key.removeprefix("mcpServers.a."): value.value for value in found}


def test_every_value_has_the_place_that_it_stands_in_after_all_files_are_laid_over_each_other(
    tmp_path: Path,
) -> None:
    (tmp_path / "mcp.json").write_text(
        '{"mcpServers": {\n "db": {"command": "db", "args": ["--dev"],\n  "env": {"TZ": "UTC"}},\n "gone": {"command": "x"}},\n'
        ' "templates": {"t": {"command": "run",\n  "args": ["-y", "${param:root}"], "parameters": {"root": null}}}}'
    )
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-more.yaml").write_text(
        "mcpServers:\n  docs:\n    extend: t\n    parameters: {root: /srv}\n"
    )
    (tmp_path / "mcp.prod.json").write_text(
        '{"mcpServers": {"gone": null,\n "db": {"args": ["--prod"]}}, "serverDefaults": {"timeout": 5}}'
    )
    found = draft(tmp_path / "mcp.json", {}, "prod")
    shown = {
        value.key: (value.value, value.origin.removeprefix(f"{tmp_path}/"))
        for value in values(found.tree, found.environ)
    }
    assert shown == {
        "mcpServers.db.command": ("db", "mcp.json:2"),
        "mcpServers.db.args": (["--prod"], "mcp.prod.json:2"),
        "mcpServers.db.env.TZ": ("UTC", "mcp.json:3"),
        "mcpServers.docs.command": ("run", "mcp.json:5"),
        "mcpServers.docs.args": (["-y", "/srv"], "mcp.json:6"),
        "serverDefaults.timeout": (5, "mcp.prod.json:2"),
    }


def test_references_to_variables_are_resolved_and_named() -> None:
    (value,) = of({"mcpServers": {"a": {"args": ["${A}/${env:B}", "${C:-usual}"]}}}, {"A": "/x", "B": "/y"})
    assert value.value == ["/x//y", "usual"]
    assert value.references == ("${A}", "${env:B}", "${C}")


def test_a_reference_to_what_is_not_set_stays_as_it_is() -> None:
    assert entry(command="${NOT_SET}") == {"command": "${NOT_SET}"}


@pytest.mark.parametrize("name", ["tags", "disabledTools", "envFilter"])
def test_what_is_no_reference_where_it_stands_is_not_resolved(name: str) -> None:
    (value,) = of({"mcpServers": {"a": {name: ["${A}"]}}}, {"A": "x"})
    assert value.value == ["${A}"]
    assert value.references == ()


def test_variables_and_headers_are_hidden_by_name() -> None:
    env = {"API_KEY": "a", "DB_PASSWORD": "b", "MODE": "production-mode", "tags": "${T}"}
    shown = entry({"T": "/t"}, env=env, headers={"Authorization": "Bearer x", "X-Team": "web"})
    assert shown == {
        "env.API_KEY": SECRET,
        "env.DB_PASSWORD": SECRET,
        "env.MODE": "production-mode",
        "env.tags": "/t",
        "headers.Authorization": SECRET,
        "headers.X-Team": "web",
    }
    assert entry(env=["API_KEY=a", "MODE=b", "HOME"]) == {"env": ["API_KEY=***", "MODE=b", "HOME"]}


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--token", "x", "--root", "/srv"], ["--token", SECRET, "--root", "/srv"]),
        (["--api-key=x", "-v"], ["--api-key=***", "-v"]),
        (["-e", "TOKEN=x"], ["-e", "TOKEN=***"]),
        (["https://h/p?key=x&a=1"], ["https://h/p?key=***&a=1"]),
        (["postgres://u:p@h/db"], ["postgres://***@h/db"]),
        (["ghp_0123456789abcdef"], [SECRET]),
    ],
)
def test_credentials_among_arguments_are_hidden(argv: list[str], shown: list[str]) -> None:
    assert entry(args=argv) == {"args": shown}
    assert entry(command=["x", *argv]) == {"command": ["x", *shown]}


def test_a_command_that_is_a_whole_line_hides_them_too() -> None:
    line = "sh -c 'curl https://u:canary@h/x?token=canary -o y'"
    assert entry(command=line) == {"command": "sh -c 'curl https://***@h/x?token=*** -o y'"}


def test_a_secret_is_hidden_wherever_it_is_referred_to() -> None:
    shown = entry(
        command="/opt/${SECRET:a}/run", url="https://${SECRET:vault:h#x}/mcp", env={"X": "${SECRET:b}"}
    )
    assert shown == {"command": "/opt/***/run", "url": "https://***/mcp", "env.X": SECRET}


def test_the_usual_value_of_a_reference_to_a_credential_is_hidden() -> None:
    assert entry(url=f"https://h/?x=${{API_KEY:-{CANARY}}}") == {"url": "https://h/?x=***"}
    (value,) = of({"mcpServers": {"a": {"cwd": f"${{API_KEY:-{CANARY}}}"}}})
    assert CANARY not in str(value)


def test_what_a_variable_holds_is_shown_where_a_log_would_show_it() -> None:
    shown = entry({"A": CANARY, "B": "/srv/data", "C": "info"}, env={"A": "${A}", "B": "${B}", "C": "${C}"})
    assert shown == {"env.A": SECRET, "env.B": "/srv/data", "env.C": "info"}


def test_a_webhook_shows_its_host_only_and_its_secret_not_at_all() -> None:
    webhook = {
        "url": "https://hooks.example.com/services/T0/B0",
        "secret": "0123456789abcdef",
        "kinds": ["server_down"],
    }
    assert [
        (value.key, value.value) for value in of({"alerts": {"webhooks": [webhook, {"url": "${U}"}]}})
    ] == [
        ("alerts.webhooks[0].url", "https://hooks.example.com/***"),
        ("alerts.webhooks[0].secret", SECRET),
        ("alerts.webhooks[0].kinds", ["server_down"]),
        ("alerts.webhooks[1].url", SECRET),
    ]


def test_the_token_of_a_vault_is_hidden_and_its_file_is_not() -> None:
    vault = {"type": "vault", "address": "https://v:8200", "token": CANARY, "tokenFile": "/run/token"}
    shown = {value.key: value.value for value in of({"secrets": {"providers": {"v": vault}}})}
    assert shown["secrets.providers.v.token"] == SECRET
    assert shown["secrets.providers.v.tokenFile"] == "/run/token"
    assert shown["secrets.providers.v.address"] == "https://v:8200"


def test_remarks_foreign_keys_and_null_are_left_out_but_no_variable_is() -> None:
    assert entry(_x=1, autoApprove=["a"], cwd=None, env={"_A": "b"}) == {"env._A": "b"}
    assert of({"$schema": "x", "port": 1, "inputs": [], "serverDefaults": {"//": 1}}) == []


def test_what_has_nothing_in_it_is_shown_as_it_is() -> None:
    assert entry(args=[], env={}) == {"args": [], "env": {}}


HIDING: Final = (
    st.sampled_from(["${SECRET:x}", "${SECRET:v:p#f}", "${TOKEN}", "${API_KEY:-y}", "a ${MY_PASSWORD} b", "${PLAIN}"])
)  # fmt: skip
TREES: Final = st.recursive(
    HIDING,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["env", "headers", "args", "command", "url", "cwd", "type", "template", "x", "_y"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(TREES, st.sampled_from(["mcpServers", "servers", "serverDefaults", "alerts", "secrets"]))
def test_nothing_that_is_referred_to_is_ever_shown(tree: Any, section: str) -> None:
    environ = dict.fromkeys(("TOKEN", "API_KEY", "MY_PASSWORD", "PLAIN", "SECRET:x", "SECRET:v:p#f"), CANARY)
    assert CANARY not in str(of({section: {"a": tree, "b": {"c": tree}}}, environ))
