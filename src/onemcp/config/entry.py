"""One entry of `mcpServers`: from its members to an `UpstreamSpec`, faulty or not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from onemcp.config.common import Common, read_common
from onemcp.config.interpolate import SECRET, Noting
from onemcp.config.keys import (
    ADDRESSES,
    ENTRY,
    ENTRY_IGNORED,
    HIDDEN_TOOLS,
    KINDS,
    SWITCHES_OFF,
    SWITCHES_ON,
)
from onemcp.config.section import Item, Section
from onemcp.config.sharing import read_partitioning, read_roots
from onemcp.config.templates import EXTEND, PARAMETERS
from onemcp.config.transport import Surroundings, Written, build
from onemcp.core.secrets import SHORTEST, Redactor
from onemcp.core.spec import UpstreamSpec
from onemcp.errors import ConfigError, Problem
from onemcp.wire.revisions import ERAS

TRUE: Final = frozenset({"true", "yes", "on", "1"})
FALSE: Final = frozenset({"false", "no", "off", "0", ""})


def read_entry(
    name: str, section: Section, defaults: Common, around: Surroundings, separator: str
) -> UpstreamSpec:
    """The upstream that an entry means. What makes only this one unusable is its `fault`; a switched-off entry has none.

    A wrong type or an unknown key is not a fault but goes to the section's report. A good name is not empty, has
    no blanks around it, no slash or backslash, no control characters and not the separator inside, and is not `.` or `..`:
    it is a part of names of tools and of the path `/servers/<name>/mcp`. Blanks and dots inside are fine.
    """
    section.only(ENTRY, ENTRY_IGNORED, (EXTEND, PARAMETERS))
    common = read_common(section).over(defaults)
    spec = UpstreamSpec(name, None, restart=common.restart)
    spec = replace(
        spec,
        tags=frozenset(item.raw for item in section.texts("tags")),
        disabled_tools=frozenset(item.raw for key in HIDDEN_TOOLS for item in section.texts(key)),
        request_timeout=common.request_timeout or spec.request_timeout,
        connection_timeout=common.connection_timeout or spec.connection_timeout,
        partitioning=read_partitioning(section),
        required=section.boolean("required") or False,
    )
    written = _written(section, common)
    protocol, roots = section.text("protocol"), read_roots(section)
    switches = [
        (item, key in SWITCHES_ON) for key in (*SWITCHES_OFF, *SWITCHES_ON) if (item := _switch(section, key))
    ]
    environ = Noting(around.environ)
    around = replace(around, environ=environ)
    try:
        spec = replace(spec, disabled=_is_off(switches, environ))
        _check_name(name, section.item, separator)
        spec = replace(spec, protocol=_revision(protocol, environ) if protocol else "")
        spec = replace(spec, roots=roots.resolved(environ) if roots is not None else None)
        return replace(spec, transport=build(written, around), referred=environ.noted)
    except ConfigError as error:
        fault = _without_secrets(error.problems[0], environ.noted)
        return spec if spec.disabled else replace(spec, fault=fault, referred=environ.noted)


def _without_secrets(problem: Problem, noted: Iterable[tuple[str, str]]) -> Problem:
    """What is wrong with a value may repeat it, and a secret may be in it."""
    secrets = [value for name, value in noted if name.startswith(SECRET) and len(value) >= SHORTEST]
    return replace(problem, what=Redactor(secrets)(problem.what)) if secrets else problem


def _written(section: Section, common: Common) -> Written:
    command = section.get("command")
    program: tuple[Item, ...] = ()
    if command is not None:
        is_array = isinstance(command.node.value, list)
        program = section.texts("command") if is_array else _one(section.text("command"))
    args = section.texts("args")
    return Written(
        entry=section.item,
        common=common,
        kinds=_all(section, KINDS),
        command=command,
        argv=(*program, *args) if program else (),
        addresses=_all(section, ADDRESSES),
        cwd=section.text("cwd"),
    )


def _one(item: Item | None) -> tuple[Item, ...]:
    return () if item is None else (item,)


def _all(section: Section, names: Sequence[str]) -> tuple[Item, ...]:
    return tuple(item for name in names if (item := section.text(name)) is not None)


def _switch(section: Section, name: str) -> Item | None:
    """A member that is true or false, or a word or number for it."""
    item = section.get(name)
    if item is None or isinstance(item.node.value, bool | int | str):
        return item
    section.refuse(item, "true or false")
    return None


def _is_off(switches: Sequence[tuple[Item, bool]], environ: Mapping[str, str]) -> bool:
    return any(_is_true(item, environ) != turns_on for item, turns_on in switches)


def _is_true(item: Item, environ: Mapping[str, str]) -> bool:
    word = item.text(environ).strip().lower()
    if word not in TRUE | FALSE:
        raise item.fault(f"{item.raw} is neither true nor false", "write true or false")
    return word in TRUE


def _check_name(name: str, entry: Item, separator: str) -> None:
    if not name.strip() or name in (".", ".."):
        raise entry.fault("the server has no usable name", "give it one of letters and digits")
    if name != name.strip():
        raise entry.fault("the server's name begins or ends with a blank", "take the blank away")
    if "/" in name or "\\" in name or not name.isprintable():
        raise entry.fault(
            "the server's name has a character that cannot stand in a path", "use letters, digits, - and _"
        )
    if separator in name:
        raise entry.fault(
            f"the server's name has {separator} in it, which separates servers from tools",
            "rename it, or choose another names.separator",
        )


def _revision(item: Item, environ: Mapping[str, str]) -> str:
    revision = item.text(environ).strip()
    if revision not in ERAS:
        raise item.fault(f"{item.raw} is no known revision of MCP", "there are " + ", ".join(sorted(ERAS)))
    return revision
