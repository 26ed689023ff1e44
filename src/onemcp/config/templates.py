"""Templates: what alike servers have in common, written once. Pure, on the tree of a configuration.

    "templates": {
      "files": { "command": "npx", "args": ["-y", "server-filesystem", "${param:root}"],
                 "parameters": { "root": null, "mode": "ro" } }
    },
    "mcpServers": {
      "docs": { "extend": "files", "parameters": { "root": "/srv/docs" } }
    }

An entry is laid over its template, and a template over the one that it extends itself. A parameter without a default
(`null`) has to be given. A text that is nothing but `${param:NAME}` becomes the value itself, whatever its type. What
a parameter brings is not looked at for parameters again; references to variables in it are resolved with the rest.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from onemcp.config.keys import SERVERS, SERVERS_ALIAS
from onemcp.config.node import Member, Node
from onemcp.config.overlay import overlaid
from onemcp.config.setting import nearest
from onemcp.errors import Problem

TEMPLATES: Final = "templates"
EXTEND: Final = "extend"
PARAMETERS: Final = "parameters"
MAX_CHAIN: Final = 10
"""Templates that extend each other, one behind the other."""

_REFERENCE: Final = re.compile(r"(\$\$\{)|\$\{param:([^{}]*)\}")

Members = dict[str, Member]


def instantiated(root: Node, problems: list[Problem]) -> Node:
    """The tree with every entry that extends a template written out, and without the templates."""
    if not isinstance(root.value, dict):
        return root
    members = dict(root.value)
    templates = members.pop(TEMPLATES, None)
    known = _templates(templates.value, problems) if templates is not None else {}
    for name in (SERVERS, SERVERS_ALIAS):
        servers = members.get(name)
        if servers is not None and isinstance(servers.value.value, dict):
            written = {
                key: _written(key, entry, known, problems) for key, entry in servers.value.value.items()
            }
            members[name] = Member(servers.key, replace(servers.value, value=written))
    return replace(root, value=members)


def _templates(node: Node, problems: list[Problem]) -> Members:
    """All templates by name; what is wrong with their parameters is told here, once."""
    templates = _object(node, TEMPLATES, problems)
    found = {}
    for name, member in templates.items():
        key = f"{TEMPLATES}.{name}"
        if not isinstance(member.value.value, dict):
            problems.append(_problem(member.value, key, "expected an object"))
            continue
        found[name] = member
        if PARAMETERS in member.value.value:
            _object(member.value.value[PARAMETERS].value, f"{key}.{PARAMETERS}", problems)
    return found


def _object(node: Node, key: str, problems: list[Problem]) -> Members:
    """The members of what has to be an object; null has none."""
    if isinstance(node.value, dict):
        return node.value
    if node.value is not None:
        problems.append(_problem(node, key, "expected an object"))
    return {}


def _written(name: str, entry: Member, known: Members, problems: list[Problem]) -> Member:
    """One entry, written out if it extends anything."""
    node, key = entry.value, f"{SERVERS}.{name}"
    if not isinstance(node.value, dict):
        return entry
    extended = node.value.get(EXTEND)
    if extended is None or extended.value.value is None:
        return _without_parameters(Member(entry.key, _without(node, EXTEND)), key, problems)
    template = _template(extended.value, key, known, problems, ())
    rest = _without(node, EXTEND, PARAMETERS)
    if template is None:
        return Member(entry.key, rest)
    parameters = node.value.get(PARAMETERS)
    given = _object(parameters.value, f"{key}.{PARAMETERS}", problems) if parameters is not None else {}
    values = _values(node, key, template.declared, given, problems)
    if values is None:
        return Member(entry.key, overlaid(template.body, rest))
    return Member(entry.key, _filled(overlaid(template.body, rest), values, key, problems))


def _without_parameters(entry: Member, key: str, problems: list[Problem]) -> Member:
    """An entry that extends nothing, and so has nothing to give parameters to."""
    assert isinstance(entry.value.value, dict)  # the caller has looked
    if PARAMETERS not in entry.value.value:
        return entry
    what = "there is no template for them to go to"
    problems.append(
        _problem(
            entry.value.value[PARAMETERS].key, f"{key}.{PARAMETERS}", what, f'say which: "{EXTEND}": "..."'
        )
    )
    return Member(entry.key, _without(entry.value, PARAMETERS))


@dataclass(frozen=True, slots=True)
class _Template:
    """A template, laid over all that it extends."""

    body: Node
    declared: Members
    """Its parameters, each with its default; null for none."""


def _template(
    wanted: Node, key: str, known: Members, problems: list[Problem], chain: tuple[str, ...]
) -> _Template | None:
    """The template that `extend` names; None if that leads nowhere."""
    name = wanted.value
    if not isinstance(name, str) or name not in known:
        guess = nearest(str(name), known)
        fix = f"did you mean {guess}?" if guess else f"there are {', '.join(sorted(known))}" if known else ""
        problems.append(_problem(wanted, f"{key}.{EXTEND}", f"there is no template {name}", fix))
        return None
    if name in chain or len(chain) >= MAX_CHAIN:
        what = f"templates extend each other without end: {' > '.join((*chain, name))}"
        problems.append(_problem(wanted, f"{key}.{EXTEND}", what))
        return None
    node = known[name].value
    body, declared = _without(node, EXTEND, PARAMETERS), _members(node, PARAMETERS)
    extended = node.value.get(EXTEND) if isinstance(node.value, dict) else None
    if extended is None or extended.value.value is None:
        return _Template(body, declared)
    below = _template(extended.value, f"{TEMPLATES}.{name}", known, problems, (*chain, name))
    return (
        _Template(overlaid(below.body, body), {**below.declared, **declared}) if below is not None else None
    )


def _values(
    entry: Node, key: str, declared: Members, given: Members, problems: list[Problem]
) -> dict[str, Node] | None:
    """The value of every parameter; None if one is wanted and not given, or given and not wanted."""
    before = len(problems)
    for name in given.keys() - declared.keys():
        guess = nearest(name, declared)
        fix = f"did you mean {guess}?" if guess else f"it has {', '.join(sorted(declared)) or 'none'}"
        place = f"{key}.{PARAMETERS}.{name}"
        problems.append(_problem(given[name].key, place, f"the template has no parameter {name}", fix))
    values = {name: given.get(name, member).value for name, member in declared.items()}
    for name, value in values.items():
        if value.value is None:
            fix = f'add "{PARAMETERS}": {{"{name}": ...}}'
            problems.append(_problem(entry, key, f"the template wants the parameter {name}", fix))
    return values if len(problems) == before else None


def _members(node: Node, name: str) -> Members:
    member = node.value.get(name) if isinstance(node.value, dict) else None
    return member.value.value if member is not None and isinstance(member.value.value, dict) else {}


def _without(node: Node, *names: str) -> Node:
    assert isinstance(node.value, dict)  # callers have looked
    return replace(node, value={name: member for name, member in node.value.items() if name not in names})


def _filled(node: Node, values: dict[str, Node], key: str, problems: list[Problem]) -> Node:
    """The node with every reference to a parameter replaced."""
    if isinstance(node.value, dict):
        members = {
            name: Member(member.key, _filled(member.value, values, f"{key}.{name}", problems))
            for name, member in node.value.items()
        }
        return replace(node, value=members)
    if isinstance(node.value, list):
        parts = [_filled(part, values, f"{key}[{index}]", problems) for index, part in enumerate(node.value)]
        return replace(node, value=parts)
    return _filled_text(node, values, key, problems) if isinstance(node.value, str) else node


def _filled_text(node: Node, values: dict[str, Node], key: str, problems: list[Problem]) -> Node:
    text = str(node.value)
    for match in _REFERENCE.finditer(text):
        name = match[2]
        if name is None:
            continue
        if name not in values:
            guess = nearest(name, values)
            fix = f"did you mean {guess}?" if guess else f"declare it in the template's {PARAMETERS}"
            problems.append(_problem(node, key, f"there is no parameter {name}", fix))
            return node
        if match[0] == text:
            return replace(node, value=values[name].value)
        if isinstance(values[name].value, dict | list):
            problems.append(
                _problem(node, key, f"the parameter {name} is no text that could stand in another")
            )
            return node
    return replace(node, value=_REFERENCE.sub(lambda match: _worded(match, values), text))


def _worded(match: re.Match[str], values: dict[str, Node]) -> str:
    if match[2] is None:
        return match[0]
    value = values[match[2]].value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(node: Node, key: str, what: str, fix: str = "") -> Problem:
    return Problem(what, fix, node.file, node.line, node.column, key)
