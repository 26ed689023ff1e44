"""What the verbs of `1mcp server` say of a change that was made."""

import sys
from collections.abc import Mapping
from typing import Any

from onemcp.cli.text import plain
from onemcp.config.edit.change import Done
from onemcp.config.interpolate import is_secret_missing, is_unresolved
from onemcp.config.node import plain as value_of
from onemcp.core.redact import is_credential
from onemcp.core.secrets import masked_arguments


def told(done: Done, what: str) -> None:
    """Say what was done, and where the text before it is."""
    print(plain(what))
    if done.backup is not None:
        print(plain(f"      {done.backup} has the text before this, and none older is kept"))
    else:
        print(plain(f"      {done.file} is new, and only you can read it"))


def warn(what: str, fix: str = "") -> None:
    """Say something on standard error, and what to do about it."""
    print(plain(f"1mcp: {what}"), file=sys.stderr)
    if fix:
        print(plain(f"      {fix}"), file=sys.stderr)


def warn_of(done: Done, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Say which references of entries lead nowhere from here, and which credentials stand in clear, if that is new."""
    before, after = done.before.judged(), done.after.judged()
    for name in entries:
        fault = after.faults.get(name)
        is_told = fault is None or is_secret_missing(fault) or not is_unresolved(fault)
        former = before.faults.get(name)
        if fault is not None and not is_told and (former is None or former.what != fault.what):
            warn(f"{name}: {fault.what}", fault.fix)
    names = [
        f"{name}: {each}" for name, entry in entries.items() for each in _new_in_clear(done, name, entry)
    ]
    if names:
        warn(
            f"in {done.file} in clear: {', '.join(names)}",
            "1mcp secret set NAME keeps one sealed; then write ${SECRET:NAME} in its place",
        )


def _new_in_clear(done: Done, name: str, entry: Mapping[str, Any]) -> list[str]:
    former = {
        each
        for place in done.before.places(name)
        if isinstance(value := value_of(place.member.value), dict)
        for each in in_clear(value)
    }
    return [each for each in in_clear(entry) if each not in former]


def in_clear(entry: Mapping[str, Any]) -> list[str]:
    """The names of what is a credential of an entry, and no reference to one."""
    found = []
    for key in ("env", "headers"):
        pairs = entry.get(key)
        if isinstance(pairs, dict):
            found += [
                name
                for name, value in pairs.items()
                if isinstance(value, str) and value and "${" not in value and is_credential(name)
            ]
    command, args = entry.get("command"), entry.get("args")
    parts = [
        *(command if isinstance(command, list) else [command]),
        *(args if isinstance(args, list) else []),
    ]
    argv = [str(part) for part in parts if part is not None]
    if any(
        shown != part and "${" not in part for shown, part in zip(masked_arguments(argv), argv, strict=True)
    ):
        found.append("an argument")
    urls = [str(entry[key]) for key in ("url", "serverUrl", "httpUrl") if key in entry]
    if any(masked_arguments([url])[0] != url and "${" not in url for url in urls):
        found.append("the url")
    return found
