"""The settings of the gateway that stand in a configuration file, beside the servers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from onemcp.config.interpolate import NO_SECRETS, secrets_in
from onemcp.config.keys import IGNORED_IN
from onemcp.config.node import Node, plain
from onemcp.config.section import Item, Report, Section, truth_hint
from onemcp.config.setting import Kind, Setting
from onemcp.config.settings import FileValue
from onemcp.config.table import TABLE
from onemcp.errors import ConfigError

_TEXTS: Final = frozenset({Kind.CHOICE, Kind.NAME, Kind.PATH, Kind.TEXT, Kind.URL})


def heads() -> frozenset[str]:
    """The keys at the top of a document that are settings, or have some in them."""
    return frozenset(key.partition(".")[0] for key, _ in _keys())


def read_settings(top: Section, environ: Mapping[str, str], report: Report) -> dict[str, FileValue]:
    """Settings by dotted key, with their references resolved; mistakes go to the report."""
    sections = _sections(top)
    found: dict[str, FileValue] = {}
    places: dict[str, Item] = {}
    for key, setting in _keys():
        section = sections[key.rpartition(".")[0]]
        item = section.get(key.rpartition(".")[2]) if section is not None else None
        if item is None:
            continue
        if key != setting.key:
            report.notices.append(
                f"{item.file}:{item.node.line}: {key} is now called {setting.key}; the old name will not be read for ever"
            )
        if setting.key in places:
            first = places[setting.key]
            report.problems.append(
                item.problem(f"{first.key} and {item.key} are both here", f"keep {setting.key}")
            )
        places[setting.key] = item
        found[setting.key] = _value(setting, item, environ, report)
    return found


def _keys() -> Iterator[tuple[str, Setting]]:
    """Every key that a setting is read from; its present one before those that it had."""
    for setting in TABLE:
        if setting.key:
            yield setting.key, setting
            yield from ((key, setting) for key in setting.former)


def _sections(top: Section) -> dict[str, Section | None]:
    """The objects that settings stand in, by key; what else stands in them is judged."""
    tails: dict[str, list[str]] = {}
    for key, _ in _keys():
        head, _, tail = key.rpartition(".")
        tails.setdefault(head, []).append(tail)
    found: dict[str, Section | None] = {"": top}
    for head, known in tails.items():
        if head:
            section = found[head] = top.section(head)
            if section is not None:
                section.only(known, IGNORED_IN.get(head, ()))
    return found


def _value(setting: Setting, item: Item, environ: Mapping[str, str], report: Report) -> FileValue:
    value = FileValue(plain(item.node), item.file, item.node.line, item.node.column)
    try:
        value = _expanded(setting, item, value, environ)
        value.meant_by(setting)
    except ConfigError as error:
        report.problems += error.problems
    except ValueError:
        report.problems.append(item.problem(setting.refusal(value.value), _hint(item.node, setting)))
    return value


def _expanded(setting: Setting, item: Item, value: FileValue, environ: Mapping[str, str]) -> FileValue:
    """The value with the references in its texts resolved.

    Raises:
        ConfigError: one cannot be.
    """
    texts = value.value if isinstance(value.value, list) else [value.value]
    if not any(isinstance(text, str) and "${" in text for text in texts):
        return value
    if not setting.secret and any(isinstance(text, str) and any(secrets_in(text)) for text in texts):
        raise item.fault(f"{NO_SECRETS}, since this setting is shown", "use a variable, as ${NAME}")
    if isinstance(item.node.value, list):
        parts = [Item(node, item.key) for node in item.node.value]
        resolved: object = [
            part.text(environ) if isinstance(part.node.value, str) else part.node.value for part in parts
        ]
    else:
        resolved = item.text(environ)
    is_spoken = isinstance(resolved, str) and setting.kind not in _TEXTS
    return replace(value, value=resolved, is_spoken=is_spoken)


def _hint(node: Node, setting: Setting) -> str:
    """What YAML 1.2 takes for a text and many people for a truth value, and numbers in quotes."""
    if setting.kind is Kind.BOOLEAN and (hint := truth_hint(node)):
        return hint
    if setting.kind in _TEXTS or setting.kind is Kind.LIST or not isinstance(node.value, str):
        return ""
    try:
        setting.from_text(node.value)
    except ValueError:
        return ""
    return "write it without quotes"
