"""What a reload changes, in words: the gateway's answer to `reload` and `diff`, for a person."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from onemcp.cli.config.check import counted
from onemcp.cli.config.show import text_of
from onemcp.cli.text import plain
from onemcp.core.redact import without_secrets

_MARKS: Final = {"add": "+", "remove": "-", "replace": "~", "update": "~"}
_WORDS: Final = {
    "add": ("is added", "would be added"),
    "remove": ("is removed", "would be removed"),
    "replace": ("begins anew", "would begin anew"),
    "update": ("goes on with other rules", "would go on with other rules"),
}
"""What happens to a server, and what would."""


def is_different(answer: Mapping[str, Any]) -> bool:
    """Whether the configuration is another one than that in force."""
    return bool(answer["servers"] or answer["settings"])


def render(answer: Mapping[str, Any], *, done: bool) -> str:
    """What was changed, or would be."""
    lines = [*_servers(answer, done=done), *_settings(answer, done=done)]
    lines += [f"! {plain(notice)}" for notice in answer["notices"]]
    return "\n".join((*lines, _verdict(answer, done=done)))


def _servers(answer: Mapping[str, Any], *, done: bool) -> Iterator[str]:
    for server in answer["servers"]:
        change = server["change"]
        because = f": {', '.join(map(plain, server['because']))}" if server["because"] else ""
        yield f"{_MARKS[change]} {plain(server['name'])} {_WORDS[change][not done]}{because}"


def _settings(answer: Mapping[str, Any], *, done: bool) -> Iterator[str]:
    for change in answer["settings"]:
        name = change["key"] or change["setting"]
        values = f"{_value(change['from'])} -> {_value(change['to'])}"
        later = " after a restart" if change["restart"] else ""
        when = "counts" if done or later else "would count"
        yield f"{'!' if later else '~'} {name} {values} ({plain(change['origin'])}) {when}{later or ' at once'}"


def _value(value: object) -> str:
    return without_secrets(text_of(value))


def _verdict(answer: Mapping[str, Any], *, done: bool) -> str:
    file, kept = plain(answer["file"]), counted(answer["kept"], "server")
    things = [
        counted(len(answer[name]), name.removesuffix("s")) for name in ("servers", "settings") if answer[name]
    ]
    if not things:
        return f"{file}: nothing {'has changed' if done else 'differs'}, {kept} kept"
    one = len(answer["servers"]) + len(answer["settings"]) == 1
    differ = "differs" if one else "differ"
    return f"{file}: {' and '.join(things)} {'changed' if done else differ}, {kept} kept"
