"""Putting a member into an object of JSON with comments, laid out like those that are there."""

from dataclasses import replace
from typing import Any

from onemcp.config.edit.gaps import Gap, begins_line, breaks, gap, indent_of
from onemcp.config.edit.style import Style
from onemcp.config.node import Node

New = tuple[str, Any]
"""A member: its key and its value."""


def next_member(text: str, node: Node, new: New, style: Style) -> str:
    """The text with a member behind the last one of an object; remarks on that one's line stay with it."""
    assert isinstance(node.value, dict)  # and it has members: callers have looked
    last = list(node.value.values())[-1]
    after = gap(text, last.value.end, node.end - 1)
    style = replace(style, has_last_comma=after.comma is not None)
    remarks = after.on_line()
    end = remarks[-1].end if remarks else after.after_comma
    indent = _indent(text, last.key.start, after, style)
    written = style.member(*new, indent)
    if after.comma is not None:
        blank = " " if indent is None else style.newline + indent
        return f"{text[:end]}{blank}{written},{text[end:]}"
    if indent is None:
        return f"{text[:end]}{style.comma}{written}{text[end:]}"
    start = last.value.end
    return f"{text[:start]},{text[start:end]}{style.newline}{indent}{written}{text[end:]}"


def _indent(text: str, last: int, after: Gap, style: Style) -> str | None:
    """What the new member is indented by; None if it stands on the line of the last one."""
    if begins_line(text, last):
        return indent_of(text, last)
    if any(remark.is_line for remark in after.on_line()):
        return indent_of(text, last) + style.unit
    return None


def first_member(text: str, node: Node, new: New, style: Style, *, is_inline: bool) -> str:
    """The text with a member in an object that has none; remarks that stand there stay, below it if they can."""
    inner = gap(text, node.start + 1, node.end - 1)
    is_inline = is_inline and not any(remark.is_line for remark in inner.comments)
    remarks = inner.on_line()
    start = remarks[-1].end if remarks else inner.start
    if is_inline:
        blank = " " if inner.comments else ""
        end = start if inner.comments else inner.end
        return f"{text[:start]}{blank}{style.member(*new, None)}{text[end:]}"
    outer = indent_of(text, node.start)
    indent = outer + style.unit
    below = inner.comments[len(remarks) :]
    written = f"{style.newline}{indent}{style.member(*new, indent)}"
    if below and breaks(text, start, below[0].start):
        return f"{text[:start]}{written}{text[start:]}"
    if inner.comments and breaks(text, start, inner.end):
        return f"{text[:start]}{written}{text[start:]}"
    return f"{text[:start]}{written}{style.newline}{outer}{text[inner.end :]}"
