"""Taking a member out of an object of JSON with comments, with all that belongs to it and nothing else."""

from dataclasses import dataclass

from onemcp.config.edit.gaps import Comment, Gap, after_blanks, breaks, gap
from onemcp.config.node import Node


def removed(text: str, node: Node, name: str) -> str:
    """The text without the member of that name; an object of which nothing is left is `{}`."""
    before, after = _around(text, node, name)
    is_first, is_last = before.start == node.start + 1, after.end == node.end - 1
    edge = _edge(before)
    end = _end(after)
    following = after_blanks(text, end)
    start = edge.stays
    if not breaks(text, end, following):
        # What follows on the line would stand in a remark, or far to the left.
        if not is_last:
            start, end = edge.begins, following
        elif edge.is_line:
            start = edge.begins
    elif is_first and not is_last and breaks(text, start, edge.begins):
        start, end = edge.begins, following  # no empty line is left at the top
    if (
        is_first
        and is_last
        and not (text[node.start + 1 : start] + text[end : node.end - 1]).strip(" \t\r\n")
    ):
        start, end = node.start + 1, node.end - 1
    rest = text[:start] + text[end:]
    if is_last and after.comma is None and before.comma is not None:
        return rest[: before.comma] + rest[before.comma + 1 :]
    return rest


def _around(text: str, node: Node, name: str) -> tuple[Gap, Gap]:
    """The gaps before and behind a member."""
    assert isinstance(node.value, dict)  # callers have looked
    members = list(node.value.values())
    index = list(node.value).index(name)
    start = members[index - 1].value.end if index else node.start + 1
    end = members[index + 1].key.start if index + 1 < len(members) else node.end - 1
    return gap(text, start, members[index].key.start), gap(text, members[index].value.end, end)


@dataclass(frozen=True, slots=True)
class _Edge:
    """What before a member is its own, and what is not."""

    stays: int
    """Where that ends which is not."""
    begins: int
    """Where its own remarks begin, or it does itself."""
    is_line: bool
    """A remark that its line ends is the last that stays."""


def _edge(before: Gap) -> _Edge:
    kept = list(before.on_line())
    own: list[Comment] = []
    begins = before.end
    behind = kept[-1].end if kept else before.after_comma
    for comment in reversed([comment for comment in before.comments if comment.start >= behind]):
        if breaks(before.text, comment.end, begins) > 1:
            kept.append(comment)
            break
        own.append(comment)
        begins = comment.start
    if any('":' in before.text[comment.start : comment.end] for comment in own):  # members, commented out
        kept.append(own[0])
        begins = before.end
    last = kept[-1] if kept else None
    return _Edge(last.end if last else before.after_comma, begins, last is not None and last.is_line)


def _end(after: Gap) -> int:
    """Where a member ends with its comma and the remarks on its line, unless those are the next one's."""
    remarks = after.on_line()
    if not remarks:
        return after.after_comma
    end = remarks[-1].end
    is_alone = after.comma is None or breaks(after.text, end, after_blanks(after.text, end)) > 0
    return end if is_alone else after.after_comma
