"""Files that people change by hand, since their remarks would not survive it otherwise: YAML and TOML."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onemcp.cli.outcome import CommandError
from onemcp.cli.server.target import names_in
from onemcp.config.edit.layout import Layout, Place, is_json
from onemcp.config.edit.paste import as_toml, as_yaml
from onemcp.config.node import plain
from onemcp.config.text import TOML


class ByHandError(CommandError):
    """A file that is changed by hand only: what to do, and the text to paste."""

    def __init__(self, what: str, fix: str, text: str = "") -> None:
        super().__init__(what, fix)
        self.text = text


def by_hand(
    layout: Layout, file: Path, entries: Mapping[str, Any], place: Place | None = None
) -> ByHandError:
    """The text of entries for a file that is no JSON, and where it goes: in the place of another one, or anew."""
    last = place or _last(layout, file)
    servers = last.keys[0] if last is not None else layout.servers
    indent = " " * (last.member.key.column - 1) if last is not None else ""
    kind = "TOML" if file.suffix.lower() in TOML else "YAML"
    if kind == "TOML":
        text = "\n\n".join(as_toml((servers, name), entry) for name, entry in entries.items())
    else:
        text = as_yaml(entries if last is not None else {servers: dict(entries)}, indent)
    what = f"{file} is {kind}, which is changed by hand; nothing was changed"
    where = ""
    if last is not None:
        where = f" {'behind' if place is None else 'in the place of'} {last.keys[1]}, which is at {last}"
    return ByHandError(what, f"put in what is printed{where}", text)


def _last(layout: Layout, file: Path) -> Place | None:
    """The last server in a file; None where it has none."""
    places = [place for name in names_in(layout) for place in layout.places(name) if place.file == file]
    return max(places, key=lambda place: place.member.key.line, default=None)


def refuse_by_hand(layout: Layout, place: Place, change: Callable[[Any], Any]) -> None:
    """Nothing where the file can be changed; `change` makes the entry as it is to be from what it is.

    Raises:
        ByHandError: it is YAML or TOML.
    """
    if not is_json(place.file):
        raise by_hand(layout, place.file, {place.keys[1]: change(plain(place.member.value))}, place)
