"""The section `secrets`: providers and their order, and every mistake with its place."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from onemcp.config.jsonc import scan
from onemcp.config.secrets.chain import CACHE
from onemcp.config.secrets.command import CommandConfig
from onemcp.config.secrets.folder import FolderConfig
from onemcp.config.secrets.sealed import SealedConfig
from onemcp.config.secrets.section import ORDER, SecretsConfig, read_secrets
from onemcp.config.secrets.vault_config import ACCOUNT, Kubernetes, Token, VaultConfig
from onemcp.config.section import Item, Report, Section

ENVIRON = {
    "HOME": "/home/ada",
    "PATH": os.environ["PATH"],
    "TOKEN": "canary-token",
    "ONE_MCP_SECRETS_KEY": "canary",
}
VAULT = {"type": "vault", "address": "https://vault.example.com:8200", "token": "${TOKEN}"}

NO_TOKEN = ': there is no token for Vault; say "token": "${VAULT_TOKEN}", "tokenFile": "..." or "kubernetes": {"role": "..."}'
NO_COMMAND = ': there is no command with {path} among its arguments; as ["pass", "show", "{path}"]; {field} may stand there as well'


def section(members: object, environ: dict[str, str] | None = None) -> tuple[SecretsConfig, list[str]]:
    root, repeated = scan(json.dumps(members), "mcp.json")
    report = Report("mcp.json", repeated)
    found = read_secrets(
        Section(Item(root, "secrets"), report), environ or ENVIRON, report, Path("/etc/onemcp")
    )
    return found, [str(problem) for problem in report.problems]


def provider(**members: Any) -> Any:
    found, problems = section({"providers": {"x": members}})
    assert not problems
    return found.providers["x"]


def problem(**members: Any) -> str:
    (found,) = section({"providers": {"x": members}})[1]
    return found.partition("secrets.providers.x")[2]


def test_without_the_section_there_are_environment_files_and_the_sealed_file() -> None:
    report = Report("mcp.json", [])
    found = read_secrets(None, {"ONE_MCP_SECRETS_DIR": "/srv/secrets"}, report, Path())
    assert (found.order, found.cache) == (ORDER, CACHE)
    assert found.providers["files"] == FolderConfig("/srv/secrets")
    assert SecretsConfig().providers["files"] == FolderConfig("/run/secrets")


def test_the_chain_and_the_time_are_as_written() -> None:
    found, problems = section({"providers": {"vault": VAULT}, "chain": ["vault", "env"], "cacheSeconds": 60})
    assert not problems
    assert (found.order, found.cache) == (("vault", "env"), 60)
    assert set(found.providers) == {"env", "files", "local", "vault"}


def test_a_vault_is_read() -> None:
    found = provider(**VAULT, mount="kv/", namespace="team", caFile="ca.pem", timeout=2500)
    assert isinstance(found, VaultConfig)
    assert (found.address, found.mount, found.namespace) == ("https://vault.example.com:8200", "kv", "team")
    assert (found.ca_file, found.timeout) == ("/etc/onemcp/ca.pem", 2.5)
    assert isinstance(found.token, Token)
    assert found.token.text is not None
    assert found.token.text.reveal() == "canary-token"
    assert "canary" not in repr(found) + str(found.token)


def test_a_vault_takes_its_usual_variables() -> None:
    environ = {"VAULT_ADDR": "http://127.0.0.1:8200", "VAULT_TOKEN": "t", "VAULT_NAMESPACE": "n"}
    found, problems = section({"providers": {"x": {"type": "vault"}}}, environ)
    assert not problems
    vault = found.providers["x"]
    assert isinstance(vault, VaultConfig)
    assert (vault.address, vault.namespace) == ("http://127.0.0.1:8200", "n")


def test_a_login_by_kubernetes_is_read() -> None:
    found = provider(type="vault", address="https://v", kubernetes={"role": "onemcp"})
    assert found.token == Kubernetes("onemcp", "kubernetes", ACCOUNT)


def test_a_program_gets_a_small_environment_and_paths_from_the_file() -> None:
    found = provider(
        type="exec",
        command=["./get", "{path}"],
        env={"PROFILE": "p"},
        envFilter=["TOKEN", "ONE_MCP_*"],
        missingExitCodes=[44],
    )
    assert isinstance(found, CommandConfig)
    assert found.argv == ("/etc/onemcp/get", "{path}")
    environment = dict(found.environment)
    assert environment["PROFILE"] == "p"
    assert environment["TOKEN"] == "canary-token"
    assert "ONE_MCP_SECRETS_KEY" not in environment
    assert found.missing == {44}
    assert found.folder == "/etc/onemcp"


def test_folders_and_sealed_files_are_read() -> None:
    assert provider(type="folder", path="secrets") == FolderConfig("/etc/onemcp/secrets")
    assert provider(type="sealed", file="~/s", keyFile="k") == SealedConfig("/home/ada/s", "/etc/onemcp/k")


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({}, ": a provider has no type; there are env, exec, folder, sealed, vault"),
        (
            {"type": "valt"},
            ".type: there is no type valt of provider; there are env, exec, folder, sealed, vault",
        ),
        (
            {"type": "vault", "token": "t"},
            ': there is no address of Vault; it takes "address": "https://..."',
        ),
        (
            {**VAULT, "address": "http://vault:8200"},
            '.address: over http everybody on the way reads the secrets; use https, or say "allowHttp": true',
        ),
        (
            {**VAULT, "address": "https://vault/v1"},
            ".address: the address of Vault has a path; name only scheme, host and port",
        ),
        (
            {"type": "vault", "address": "https://vault"},
            NO_TOKEN,
        ),
        ({**VAULT, "token": ""}, ".token: it is empty; say what it is, or take it out"),
        (
            {**VAULT, "token": None, "kubernetes": {"role": ""}},
            ".kubernetes.role: it is empty; say what it is, or take it out",
        ),
        ({**VAULT, "caFile": ""}, ".caFile: it is empty; say what it is, or take it out"),
        ({"type": "folder", "path": "${EMPTY:-}"}, ".path: it is empty; say what it is, or take it out"),
        ({"type": None}, ": a provider has no type; there are env, exec, folder, sealed, vault"),
        (
            {**VAULT, "address": "http://127.vault.example.com:8200"},
            '.address: over http everybody on the way reads the secrets; use https, or say "allowHttp": true',
        ),
        ({**VAULT, "tokenFile": "t"}, ": there are token and tokenFile; keep the one that is meant"),
        (
            {**VAULT, "token": "${SECRET:a}", "tokenFile": None},
            ".token: ${SECRET:a}: secrets cannot be used here; use an environment variable, as ${NAME}",
        ),
        (
            {"type": "exec", "command": ["pass", "show"]},
            NO_COMMAND,
        ),
        ({"type": "env", "path": "x"}, ".path: unknown key; known are timeout, type"),
        (
            {"type": "exec", "command": ["x", "{path}"], "missingExitCodes": [0]},
            ".missingExitCodes[0]: expected an exit code from 1 to 255, found 0",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(members: dict[str, Any], sentence: str) -> None:
    problems = section({"providers": {"x": members}})[1]
    assert problems[0].partition("secrets.providers.x")[2] == sentence
    assert "canary" not in "".join(problems)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_this_machine_is_asked_over_http(host: str) -> None:
    assert provider(**{**VAULT, "address": f"http://{host}:8200"}).address == f"http://{host}:8200"


def test_no_provider_is_left_out_however_many_there_are() -> None:
    many = {f"p{number}": {"type": "folder", "path": "x"} for number in range(33)}
    assert section({"providers": many})[1] == [
        "mcp.json:1:15: secrets.providers: there are more than 32 providers"
    ]


def test_a_chain_that_is_null_is_as_if_nothing_were_said() -> None:
    assert section({"chain": None})[0].order == ORDER


def test_a_chain_of_unknown_providers_is_refused_and_a_refused_one_is_not_told_twice() -> None:
    assert section({"chain": ["evn"]})[1] == [
        "mcp.json:1:12: secrets.chain[0]: there is no provider evn; did you mean env?"
    ]
    assert len(section({"providers": {"v": {"type": "vault"}}, "chain": ["v"]})[1]) == 2  # address and token
    assert section({"providers": {"My Vault": VAULT}})[1][0].endswith(
        "no name of a provider; use lower-case letters, digits and -, a letter first"
    )
