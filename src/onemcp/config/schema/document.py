"""The JSON Schema (2020-12) of a configuration file, for editors and for checks before a start.

Whatever `config/document.py` takes without a fault is valid. It does for fragments and for what is laid over a
configuration as well: nothing has to be there, and everything may be `null`. What no schema can say (a template that
is not there, a variable that is not set) is found by `1mcp config check`.
"""

from collections.abc import Iterable
from typing import Final

from onemcp.config.keys import ALERTS, DEFAULTS, IGNORED, SECRETS, SERVERS, SERVERS_ALIAS
from onemcp.config.schema.alerts import alerts_schema, webhook_schema
from onemcp.config.schema.entry import defaults_schema, entry_schema
from onemcp.config.schema.parts import PARAMETER, Schema, closed, named
from onemcp.config.schema.secrets import provider_schema, secrets_schema
from onemcp.config.schema.settings import settings_schema
from onemcp.config.setting import Setting
from onemcp.config.table import TABLE
from onemcp.config.templates import TEMPLATES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SERVER: Final[Schema] = {"$ref": "#/$defs/server"}


def schema(table: Iterable[Setting] = TABLE) -> Schema:
    """The schema, with all that it refers to in it."""
    members = {
        SERVERS: named("The servers, by name.", _SERVER),
        SERVERS_ALIAS: named("The spelling of VS Code for mcpServers.", _SERVER),
        DEFAULTS: defaults_schema(),
        TEMPLATES: named("What alike servers have in common, by name.", _SERVER),
        ALERTS: alerts_schema(),
        SECRETS: secrets_schema(),
        **settings_schema(table),
    }
    return {
        "$schema": DIALECT,
        "title": "Configuration of onemcp",
        **closed("MCP servers, and settings of the gateway in front of them.", members, IGNORED),
        "type": "object",
        "$defs": {
            "server": entry_schema(),
            "webhook": webhook_schema(),
            "provider": provider_schema(),
            "parameter": dict(PARAMETER),
        },
    }
