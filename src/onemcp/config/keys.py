"""The keys of a configuration file: ours, and those that other programs write and that mean nothing here.

The others are 1MCP, Claude Desktop, Claude Code, Cursor, VS Code, Windsurf, Cline, Roo Code, Kiro, Zed, Gemini CLI
and Cherry Studio. Keys that begin with `_` or `//` are taken for remarks. `auth` is not among the ignored ones on
purpose: whoever writes it expects a gateway that asks who comes.
"""

from typing import Final

SERVERS: Final = "mcpServers"
SERVERS_ALIAS: Final = "servers"
"""VS Code's spelling; counts where there is no `mcpServers`."""
DEFAULTS: Final = "serverDefaults"
ALERTS: Final = "alerts"
SECRETS: Final = "secrets"

IGNORED: Final = frozenset(
    {
        "$schema",
        "activeInstructionTemplate",
        "admin",
        "app",
        "description",
        "globalShortcut",
        "inputs",
        "instructionTemplates",
        "lazyLoading",
        "mcpTemplates",
        "name",
        "preferences",
        "publishedInstructionTemplates",
        "templateContext",
        "templateSettings",
        "version",
    }
)
"""At the top of the document."""

IGNORED_IN: Final = {
    "asyncLoading": frozenset({"batchNotifications", "minServers", "timeout"}),
}
"""In the sections of settings."""

KINDS: Final = ("type", "transport")
ADDRESSES: Final = ("url", "serverUrl", "httpUrl")
"""The second is Windsurf's spelling, the third Gemini CLI's."""
INHERITS: Final = ("inheritParentEnv", "inherit_env")
HIDDEN_TOOLS: Final = ("disabledTools", "excludeTools")
"""The second is Gemini CLI's spelling."""
SWITCHES_OFF: Final = ("disabled",)
SWITCHES_ON: Final = ("enabled", "isActive")
"""Zed's spelling and Cherry Studio's."""

COMMON: Final = frozenset(
    {
        "connectionTimeout",
        "env",
        "envFilter",
        "headers",
        "maxRestarts",
        "requestTimeout",
        "restartDelay",
        "restartOnExit",
        "timeout",
        *INHERITS,
    }
)
"""What an entry and `serverDefaults` may both have."""

ENTRY: Final = COMMON | {
    "args",
    "command",
    "cwd",
    "idleTimeout",
    "isolation",
    "maxConnections",
    "protocol",
    "required",
    "roots",
    "tags",
    *ADDRESSES,
    *HIDDEN_TOOLS,
    *KINDS,
    *SWITCHES_OFF,
    *SWITCHES_ON,
}

ENTRY_IGNORED: Final = frozenset(
    {
        "$schema",
        "alwaysAllow",
        "alwaysLoad",
        "auth",
        "authProviderType",
        "autoApprove",
        "comment",
        "description",
        "dev",
        "displayName",
        "envFile",
        "gallery",
        "headersHelper",
        "icon",
        "iconUrl",
        "includeTools",
        "inputs",
        "installSource",
        "instructionOverride",
        "logoUrl",
        "longRunning",
        "name",
        "note",
        "oauth",
        "provider",
        "providerUrl",
        "registryUrl",
        "sampling",
        "sandbox",
        "sandboxEnabled",
        "settings",
        "source",
        "stderr",
        "template",
        "title",
        "toolDescriptionOverrides",
        "tools",
        "trust",
        "version",
        "watchPaths",
    }
)
DEFAULTS_IGNORED: Final = frozenset({"$schema", "description", "oauth"})
