"""What `mcpServers`, `templates` and `serverDefaults` have for one server, in the schema."""

from typing import Final

from onemcp.config.entry import FALSE, TRUE
from onemcp.config.keys import (
    ADDRESSES,
    DEFAULTS_IGNORED,
    ENTRY_IGNORED,
    HIDDEN_TOOLS,
    INHERITS,
    KINDS,
    SWITCHES_OFF,
    SWITCHES_ON,
)
from onemcp.config.schema.parts import (
    Schema,
    boolean,
    closed,
    either,
    loosely,
    named,
    number,
    or_parameter,
    pairs,
    text,
    texts,
    words,
)
from onemcp.config.templates import EXTEND, PARAMETERS
from onemcp.config.transport import TYPES
from onemcp.core.spec import Isolation, Partitioning, RestartPolicy, UpstreamSpec
from onemcp.wire.revisions import ERAS

_USUAL: Final = UpstreamSpec("", None)
_RESTART: Final = RestartPolicy()
_SHARING: Final = Partitioning()
_STRING: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _STRING}
_NULL: Final[Schema] = {"type": "null"}


def entry_schema() -> Schema:
    """One server, or one template of servers."""
    known = {name: or_parameter(schema) for name, schema in {**_common(), **_own()}.items()}
    extending = {
        EXTEND: text("The template that this is laid over."),
        PARAMETERS: named("Values for the template's parameters; in a template, their defaults.", {}),
    }
    return closed("One MCP server.", {**known, **extending}, ENTRY_IGNORED)


def defaults_schema() -> Schema:
    """`serverDefaults`."""
    return closed("What servers have that say nothing else.", _common(), DEFAULTS_IGNORED)


def _common() -> dict[str, Schema]:
    """What both may have."""
    inherits = boolean(
        "Hand on the gateway's whole environment, less what envFilter takes away.", default=False
    )
    return {
        "env": either(
            "Variables for the program, by name; or an array of NAME=value, and of NAME to hand one on.",
            pairs(""),
            _TEXTS,
        ),
        "envFilter": texts("More of the gateway's environment: NAME, PREFIX*; !PATTERN takes some away."),
        "headers": pairs("Sent with every request to a server over HTTP."),
        "requestTimeout": number("For one answer (ms).", 1, _ms(_USUAL.request_timeout)),
        "connectionTimeout": number(
            "From the start to the first complete lists (ms).", 1, _ms(_USUAL.connection_timeout)
        ),
        "timeout": number("For requestTimeout and connectionTimeout, where they are not there (ms).", 1),
        "restartOnExit": boolean("Start it again when it ends.", default=True),
        "maxRestarts": number(
            "Failures in a row before it has failed for good; 0 for no end.", 0, 0, whole=True
        ),
        "restartDelay": number(
            "Before the first restart (ms); it doubles from then on.", 1, _ms(_RESTART.first_delay)
        ),
        **dict.fromkeys(INHERITS, inherits),
    }


def _own() -> dict[str, Schema]:
    """What only an entry may have."""
    address = text("The address of a server over HTTP.", pattern=f"^{loosely('http')}[sS]?://")
    hidden = texts("Tools that are not listed and cannot be called, by the server's own names.")
    return {
        "command": either(
            "The program to start, or an array of program and arguments.", _STRING, _TEXTS, _NULL
        ),
        "args": texts("Arguments, after those in command."),
        "cwd": text("The folder to start in; relative paths start at the configuration's folder."),
        **dict.fromkeys(ADDRESSES, address),
        **dict.fromkeys(KINDS, _type()),
        "tags": texts("Words by which clients choose."),
        **dict.fromkeys(SWITCHES_OFF, _switch("Do not start it.", default=False)),
        **dict.fromkeys(SWITCHES_ON, _switch("False: do not start it.", default=True)),
        **dict.fromkeys(HIDDEN_TOOLS, hidden),
        "isolation": words(
            "Whose its connections are: everybody's one, or one for each client session.",
            Isolation,
            _SHARING.isolation,
        ),
        "maxConnections": number(
            "With isolation session: connections at a time.", 1, _SHARING.max_connections, whole=True
        ),
        "idleTimeout": number(
            "With isolation session: without a call, a connection is closed after this (ms).",
            1,
            _ms(_SHARING.idle_timeout),
        ),
        "roots": _roots(),
        "protocol": _protocol(),
        "required": boolean("Without it the whole gateway is unhealthy.", default=False),
    }


def _type() -> Schema:
    spelled = "|".join(loosely(word, "_-") for word in TYPES)
    usual: Schema = {"enum": [*sorted(set(TYPES.values())), None]}
    what = "How it is reached; found out from the rest if it is not there."
    return either(what, usual, {"type": "string", "pattern": f"^(?:{spelled})$"})


def _protocol() -> Schema:
    revisions = "|".join(sorted(ERAS))
    usual: Schema = {"enum": [*sorted(ERAS), None]}
    what = "The MCP revision to speak with it; found out if it is not there."
    return either(what, usual, text("", pattern=rf"^\s*(?:{revisions})\s*$"))


def _switch(what: str, *, default: bool) -> Schema:
    spelled = "|".join(loosely(word) for word in sorted(TRUE | FALSE))
    usual: Schema = {"enum": [True, False, 0, 1, None]}
    return either(what, usual, text("", pattern=rf"^\s*(?:{spelled})\s*$"), default=default)


def _roots() -> Schema:
    uri: Schema = {"type": "string", "pattern": r"^file://|\$\{"}
    with_name = {**closed("", {"uri": uri, "name": text("")}), "required": ["uri"], "type": "object"}
    what = (
        "What it is told when it asks for the client's folders: true asks the client, an array is the answer."
    )
    return either(
        what, {"type": ["boolean", "null"]}, {"type": "array", "items": {"anyOf": [uri, with_name]}}
    )


def _ms(seconds: float) -> float:
    return int(seconds * 1000)
