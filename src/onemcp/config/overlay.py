"""Laying one configuration over another: pure, on the trees of values, so that everything keeps its own place."""

from collections.abc import Callable

from onemcp.config.node import Member, Node

Told = Callable[[str, Member, Member], object]
"""Hears of a value that replaces another: its dotted key, the member below and the one above."""


def overlaid(base: Node, over: Node, told: Told | None = None) -> Node:
    """`base` with `over` laid on it.

    Objects are merged member by member, at any depth; `null` takes a member away; everything else, arrays too,
    stands in the place of what was there. Members keep the order of the base, new ones follow.
    """
    return _merged(base, over, "", told)


def _merged(base: Node, over: Node, key: str, told: Told | None) -> Node:
    if not isinstance(over.value, dict):
        return over
    if not isinstance(base.value, dict):
        return _pruned(over)
    members = dict(base.value)
    for name, member in over.value.items():
        path = f"{key}.{name}" if key else name
        below = members.get(name)
        if member.value.value is None:
            members.pop(name, None)
        elif below is None:
            members[name] = Member(member.key, _pruned(member.value))
        else:
            if told is not None and not _are_objects(below, member):
                told(path, below, member)
            members[name] = Member(member.key, _merged(below.value, member.value, path, told))
    return Node(members, base.start, base.end, base.line, base.column, base.file)


def _are_objects(below: Member, above: Member) -> bool:
    return isinstance(below.value.value, dict) and isinstance(above.value.value, dict)


def _pruned(node: Node) -> Node:
    """The same without the members that are null, which have nothing to take away here."""
    if not isinstance(node.value, dict):
        return node
    kept = {
        name: Member(member.key, _pruned(member.value))
        for name, member in node.value.items()
        if member.value.value is not None
    }
    return Node(kept, node.start, node.end, node.line, node.column, node.file)
