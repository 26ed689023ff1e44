"""The value of a member as a text that stands alone, at the left edge, and back to where it came from."""

from onemcp.config.edit.gaps import NEWLINE, indent_of
from onemcp.config.node import Member


def block_of(text: str, member: Member) -> str:
    """The value as it is written, its lines ended by LF and without the indentation of the member."""
    lines = NEWLINE.split(text[member.value.start : member.value.end])
    indent = indent_of(text, member.key.start)
    if all(line.startswith(indent) for line in lines[1:] if line.strip()):
        lines = [lines[0], *(line[len(indent) :] for line in lines[1:])]
    return "\n".join(lines)


def in_block(text: str, member: Member, block: str) -> str:
    """A text that was written alone, as it is to stand in the place of the member's value."""
    newline = NEWLINE.search(text)
    indent = indent_of(text, member.key.start)
    first, *lines = NEWLINE.split(block)
    lines = [indent + line if line.strip() else line for line in lines]
    return (newline[0] if newline else "\n").join([first, *lines])
