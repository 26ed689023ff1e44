"""Changing single members of JSON with comments: texts in, texts out, and everything else stays as it is written."""

from collections.abc import Sequence
from typing import Any

from onemcp.config.edit.gaps import begins_line, indent_of
from onemcp.config.edit.inserting import first_member, next_member
from onemcp.config.edit.removing import removed
from onemcp.config.edit.style import Style, style_of
from onemcp.config.jsonc import scan
from onemcp.config.node import Member, Node

Keys = Sequence[str]
"""Where a member stands: the keys that lead to it from the top."""

_SERVERS_DEPTH = 2


def member_at(root: Node, keys: Keys) -> Member | None:
    """The member that stands there."""
    member, node = None, root
    for key in keys:
        member = node.value.get(key) if isinstance(node.value, dict) else None
        if member is None:
            return None
        node = member.value
    return member


def with_member(text: str, keys: Keys, value: Any) -> str:
    """The text with this value there: in the place of another one, else as a new member, in new objects if need be.

    Raises:
        ConfigError: the text is not JSON with comments.
        ValueError: something on the way is no object.
    """
    root = scan(text)[0]
    style = style_of(text, root)
    node, holder = root, None
    for depth, key in enumerate(keys):
        rest = keys[depth + 1 :]
        if holder is not None and node.value is None:
            return _with_value(text, holder, _nested([key, *rest], value), style)
        if not isinstance(node.value, dict):
            raise ValueError(f"{'.'.join(keys[:depth]) or 'the whole'} is no object")  # noqa: TRY004 - as documented
        member = node.value.get(key)
        if member is None:
            new = (key, _nested(rest, value))
            if node.value:
                return next_member(text, node, new, style)
            is_inline = depth >= _SERVERS_DEPTH and holder is not None and not _begins_line(text, holder)
            return first_member(text, node, new, style, is_inline=is_inline)
        node, holder = member.value, member
    assert holder is not None  # there is a key at least
    return _with_value(text, holder, value, style)


def with_text(text: str, keys: Keys, written: str) -> str:
    """The text with `written` in the place of the value there.

    Raises:
        ConfigError: the text is not JSON with comments.
        ValueError: there is none.
    """
    member = member_at(scan(text)[0], keys)
    if member is None:
        raise ValueError(f"there is no {'.'.join(keys)}")
    return text[: member.value.start] + written + text[member.value.end :]


def without_member(text: str, keys: Keys) -> str:
    """The text without the member there.

    It takes along its comma, remarks behind it on its line, and those right above it; not a remark that a blank line
    stands below, nor members that are commented out.

    Raises:
        ConfigError: the text is not JSON with comments.
        ValueError: there is none.
    """
    root = scan(text)[0]
    outer = member_at(root, keys[:-1])
    node = outer.value if outer is not None else root
    if member_at(root, keys) is None or not isinstance(node.value, dict):
        raise ValueError(f"there is no {'.'.join(keys)}")
    return removed(text, node, keys[-1])


def _nested(keys: Keys, value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _with_value(text: str, member: Member, value: Any, style: Style) -> str:
    indent = indent_of(text, member.key.start) if _begins_line(text, member) else None
    old = member.value
    return text[: old.start] + style.value(value, indent) + text[old.end :]


def _begins_line(text: str, member: Member) -> bool:
    return begins_line(text, member.key.start)
