"""The section `secrets` in the schema."""

from typing import Final

from onemcp.config.schema.parts import (
    REMARK,
    Schema,
    boolean,
    closed,
    named,
    number,
    pairs,
    text,
    texts,
    words,
)
from onemcp.config.secrets.chain import CACHE
from onemcp.config.secrets.provider import TIMEOUT
from onemcp.config.secrets.section import MAX_TIMEOUT
from onemcp.config.secrets.vault_config import ACCOUNT, MOUNT

_ALL: Final = ("type", "timeout")
_KEYS: Final = {
    "env": (),
    "exec": ("command", "env", "envFilter", "missingExitCodes"),
    "folder": ("path",),
    "sealed": ("file", "keyFile"),
    "vault": ("address", "allowHttp", "caFile", "kubernetes", "mount", "namespace", "token", "tokenFile"),
}
"""What each type of provider may have beside `_ALL`."""


def secrets_schema() -> Schema:
    """The section as a whole."""
    members = {
        "chain": texts("Providers in the order in which a plain name is looked for."),
        "providers": named("Places where secrets are kept, by name.", {"$ref": "#/$defs/provider"}),
        "cacheSeconds": number(
            "How long a secret is kept in memory before it is asked for again (s).", 1, CACHE
        ),
    }
    return closed("Where secrets are kept.", members)


def provider_schema() -> Schema:
    """One place where secrets are kept."""
    schema = closed("", {"type": words("What it is.", _KEYS), **_members()})
    return {**schema, "allOf": [_only(kind, keys) for kind, keys in _KEYS.items()]}


def _only(kind: str, keys: tuple[str, ...]) -> Schema:
    """A provider of a type has no other's keys."""
    is_one = {"required": ["type"], "properties": {"type": {"const": kind}}}
    names = {"anyOf": [{"enum": [*_ALL, *keys]}, {"pattern": REMARK}]}
    return {"if": is_one, "then": {"propertyNames": names}}


def _members() -> dict[str, Schema]:
    code: Schema = {"type": "integer", "minimum": 1, "maximum": 255}
    kubernetes = {
        "role": text("The role to log in as."),
        "mount": text("Where the auth method is.", "kubernetes"),
        "tokenFile": text("The token of the pod's service account.", ACCOUNT),
    }
    return {
        "timeout": number("For one answer (ms).", 1, int(TIMEOUT * 1000), high=MAX_TIMEOUT),
        "command": texts("The program and its arguments, with {path} in one of them."),
        "env": pairs("Variables for the program."),
        "envFilter": texts("More of the gateway's environment: NAME, PREFIX*."),
        "missingExitCodes": {
            "description": "Exit codes that say that there is no such secret.",
            "type": ["array", "null"],
            "items": code,
        },
        "path": text("The folder, with one file for each secret."),
        "file": text("The encrypted file."),
        "keyFile": text("The file with its key."),
        "address": text("Where Vault is, as https://vault.example.com:8200.", pattern="://"),
        "allowHttp": boolean("Ask it over plain http too.", default=False),
        "caFile": text("Certificates that are trusted, instead of the machine's."),
        "mount": text("Where its KV secrets engine is.", MOUNT),
        "namespace": text("The namespace there."),
        "token": text("The token, as ${VAULT_TOKEN}."),
        "tokenFile": text("The file with a token that somebody keeps fresh."),
        "kubernetes": closed("A login with the pod's service account.", kubernetes),
    }
