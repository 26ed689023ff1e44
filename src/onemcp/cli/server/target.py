"""Which configuration, file and entry the verbs of `1mcp server` are about, and what they say of it afterwards."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from onemcp.cli.arguments import Parser
from onemcp.cli.find import candidates, find, five_lines
from onemcp.cli.options import add_settings, typed_settings
from onemcp.cli.outcome import CommandError, Exit
from onemcp.config.edit.layout import Aim, Layout, Place, fragments_folder
from onemcp.config.keys import SERVERS, SERVERS_ALIAS
from onemcp.config.setting import nearest
from onemcp.config.settings import around, resolve
from onemcp.config.sources import EXTENSIONS


def add_target(parser: Parser, *, file: str = "") -> None:
    """The options that say which configuration is meant; with `file` which of its files too."""
    if file:
        parser.add_argument("--file", default="", metavar="PATH", help=file)
    add_settings(parser, ("config", "environment"))


def aim_of(args: Any, environ: Mapping[str, str], *, make: bool = False) -> Aim:
    """The configuration that is meant; with `make` it need not be there.

    Raises:
        CommandError: there is none.
        ConfigError: an option or a variable means nothing.
    """
    first = resolve(environ, typed_settings(args))
    path = Path(first.config) if first.config else find(environ)
    if path is None and not make:
        raise CommandError(five_lines(environ).removeprefix("1mcp: "), code=Exit.CONFIG)
    path = path or candidates(environ)[0]
    return Aim(path, around(first, environ), first.environment, first.name_separator)


def place_of(layout: Layout, name: str, file: str = "") -> Place:
    """Where the entry stands that is meant.

    Raises:
        CommandError: there is none, or there are several and nobody says which.
    """
    places = layout.places(name)
    if not places:
        raise _no_such_server(layout, name)
    if file:
        wanted = _known_file(layout, file)
        places = tuple(place for place in places if place.file == wanted)
        if not places:
            raise CommandError(f"{name} does not stand in {wanted}", _there(layout.places(name)))
    if len(places) > 1:
        raise CommandError(f"{name} stands in several files", f"name one with --file: {_there(places)}")
    return places[0]


def _there(places: Iterable[Place]) -> str:
    return f"it is in {', '.join(map(str, places))}"


def _no_such_server(layout: Layout, name: str) -> CommandError:
    names = names_in(layout)
    guess = nearest(name, names)
    there = f"there are {', '.join(names)}" if len(names) <= 20 else "1mcp server list names them"
    fix = f"did you mean {guess}?" if guess else there if names else ""
    return CommandError(f"there is no server {name} in {layout.aim.path}", fix)


def names_in(layout: Layout) -> tuple[str, ...]:
    """The names of all servers, of those that only one of the files has too."""
    if not layout.sources:
        return ()
    top = layout.draft().tree.value
    found = [top[key].value.value for key in (SERVERS, SERVERS_ALIAS) if isinstance(top, dict) and key in top]
    return tuple(name for value in found if isinstance(value, dict) for name in value)


def file_for_new(layout: Layout, file: str = "") -> Path:
    """The file that a new entry goes to.

    Raises:
        CommandError: it cannot go there, or nobody says where.
    """
    aim = layout.aim
    if file:
        return _named_file(layout, file)
    if not aim.path.is_dir():
        return aim.path
    fragments = [Path(source.file) for source in layout.sources if not source.is_overlay]
    if len(fragments) == 1:
        return fragments[0]
    raise CommandError(
        f"{aim.path} has several files", f"name one with --file: {', '.join(map(str, fragments))}"
    )


def _known_file(layout: Layout, file: str) -> Path:
    for wanted in _meant(layout, file):
        for source in layout.sources:
            if wanted.resolve() == Path(source.file).resolve():
                return Path(source.file)
    names = ", ".join(source.file for source in layout.sources)
    raise CommandError(
        f"{file} is no file of this configuration", f"there are {names}; --environment adds those of one"
    )


def _named_file(layout: Layout, file: str) -> Path:
    """The file of the configuration that is meant, or a new fragment of it."""
    folder = fragments_folder(layout.aim)
    for wanted in _meant(layout, file):
        is_inside = wanted.parent.resolve() == folder.resolve() and wanted.name.endswith(EXTENSIONS)
        if is_inside and not wanted.name.startswith(".") and not wanted.exists() and layout.sources:
            is_known = any(Path(source.file).name == wanted.name for source in layout.sources)
            if not is_known:
                return folder / wanted.name
    return _known_file(layout, file)


def _meant(layout: Layout, file: str) -> tuple[Path, ...]:
    """What a name may mean: from here, from the configuration, from its fragments."""
    return Path(file), layout.aim.folder / file, fragments_folder(layout.aim) / file
