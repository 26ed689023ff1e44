"""Servers in the configuration of another program, as entries of ours. Pure: a document in, entries out.

Claude Desktop, Claude Code, Cursor, Cline and Windsurf have `mcpServers`; VS Code has `servers`, in its settings
`mcp.servers`, and `inputs` that it asks people for. Source: the pages of these programs on MCP.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from onemcp.config.keys import ENTRY, SERVERS, SERVERS_ALIAS

_SECONDS: Final = 1000
"""A `timeout` below is in seconds, as Cline and Roo Code have it; ours is in milliseconds."""
_INPUT: Final = re.compile(r"\$\{input:([^{}]*)\}")
_FOREIGN: Final = re.compile(
    r"\$\{(/|pathSeparator|userHome|\w*[wW]orkspace\w*(?::[^{}]*)?|(?:command|config|file\w*):?[^{}]*)\}"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that could be taken over."""

    name: str
    entry: dict[str, Any]
    remarks: tuple[str, ...] = ()
    """What is different from how it was written, and what has to be done."""


@dataclass(slots=True)
class _Around:
    """What an entry refers to, and what is to be said of it."""

    inputs: Mapping[str, Mapping[str, Any]]
    workspace: str
    remarks: list[str] = field(default_factory=list)

    def say(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)


def candidates(document: Any, workspace: str = "") -> list[Candidate]:
    """The servers of a document; none if it has none. `workspace` is the folder that `${workspaceFolder}` stands for."""
    servers, inputs = _servers(document)
    return [
        _candidate(name, entry, _Around(inputs, workspace))
        for name, entry in servers.items()
        if isinstance(entry, dict)
    ]


def _servers(document: Any) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]:
    """The servers, and the inputs by their ids."""
    if not isinstance(document, dict):
        return {}, {}
    dotted = {key.removeprefix("mcp."): value for key, value in document.items() if key.startswith("mcp.")}
    for holder in (document, document.get("mcp"), dotted):
        for key in (SERVERS, SERVERS_ALIAS):
            if isinstance(holder, dict) and isinstance(holder.get(key), dict):
                return holder[key], _inputs(holder.get("inputs"))
    return {}, {}


def _inputs(value: Any) -> dict[str, Mapping[str, Any]]:
    found = value if isinstance(value, list) else []
    return {str(each["id"]): each for each in found if isinstance(each, dict) and "id" in each}


def _candidate(name: str, entry: Mapping[str, Any], around: _Around) -> Candidate:
    kept: dict[str, Any] = {}
    left: list[str] = []
    for key, value in entry.items():
        if key not in ENTRY:
            left.append(key)
        elif value is not None:
            kept[key] = _mapped(value, lambda text: _text(text, around))
    if left:
        around.say(f"left out, since it means nothing here: {', '.join(left)}")
    if "envFile" in left:
        around.say("envFile is not read: put what is in it into env, or into .env beside the configuration")
    _set_timeout(kept, around)
    _make_texts(kept)
    return Candidate(_name(name, around), kept, tuple(around.remarks))


def _name(name: str, around: _Around) -> str:
    """Names of ours are part of a path; Cline calls servers by the addresses of their repositories."""
    fit = re.sub(r"[/\\]+", "-", name.strip())
    if fit != name:
        around.say(f"it was called {name}")
    return fit


def _set_timeout(entry: dict[str, Any], around: _Around) -> None:
    timeout = entry.get("timeout")
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and 0 < timeout < _SECONDS:
        entry["timeout"] = int(timeout * 1000)
        around.say(f"timeout {timeout:g} is taken for seconds")


def _make_texts(entry: dict[str, Any]) -> None:
    """Variables are texts; elsewhere numbers may stand for them, and null for one that is not set."""
    env = entry.get("env")
    if isinstance(env, dict):
        entry["env"] = {
            name: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
            for name, value in env.items()
            if value is not None
        }


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(part, change) for key, part in value.items()}
    if isinstance(value, list):
        return [_mapped(part, change) for part in value]
    return change(value) if isinstance(value, str) else value


def _text(text: str, around: _Around) -> str:
    if "${" not in text:
        return text
    text = _INPUT.sub(lambda match: _input(match[1], around), text)
    return _FOREIGN.sub(lambda match: _place(match, around), text)


def _input(id_: str, around: _Around) -> str:
    """A reference in the place of something that VS Code asks for."""
    given = around.inputs.get(id_, {})
    if given.get("password"):
        name = re.sub(r"[^\w.-]+", "-", id_, flags=re.ASCII).strip("-") or "secret"
        around.say(f"set its secret: 1mcp secret set {name}")
        return f"${{SECRET:{name}}}"
    name = re.sub(r"\W+", "_", id_.upper(), flags=re.ASCII)
    name = f"_{name}" if not name or name[0].isdigit() else name
    default = given.get("default")
    if isinstance(default, str) and default and not set(default) & set("{}"):
        around.say(f"{name} may be set where the gateway starts; without it {default} counts")
        return f"${{{name}:-{default}}}"
    around.say(f"set the variable {name} where the gateway starts")
    return f"${{{name}}}"


def _place(match: re.Match[str], around: _Around) -> str:
    """What stands for a folder in an editor; the reference itself where there is no such folder here."""
    word = match[1]
    if word in ("/", "pathSeparator"):
        return "/"
    if word == "userHome":
        return "${HOME}"
    if word == "workspaceFolder" and around.workspace:
        around.say(f"{match[0]} is {around.workspace}")
        return around.workspace.replace("${", "$${")
    around.say(f"{match[0]} means nothing here: write what it stands for")
    return match[0]
