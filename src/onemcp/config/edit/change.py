"""Making a change to a configuration: read, judged and written while nobody else does the same, or not made at all."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from onemcp.config.edit.layout import FRESH, Aim, Layout
from onemcp.config.files import clear, locked, replaced
from onemcp.config.interpolate import is_unresolved
from onemcp.config.sources import FRAGMENTS, MAX_BYTES
from onemcp.errors import ConfigError, Problem, StoreError

BACKUP: Final = ".bak"
"""What the name of a file ends with that has the text before the last change; there is one of it."""
_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text for one file."""

    file: Path
    text: str
    names: tuple[str, ...] = ()
    """The servers that it is about: none of them may be faulty afterwards."""


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was made."""

    file: Path
    """As the configuration names it."""
    backup: Path | None
    """Where the text before it is; None where the file is new."""
    before: Layout
    after: Layout


def change(aim: Aim, make: Callable[[Layout], Edit | None]) -> Done | None:
    """Make a change; None if there is none to make.

    `make` sees the files as they are, and is asked again where one is changed by somebody else meanwhile. References that
    cannot be resolved here are no reason against a change: they may be where the gateway runs.

    Raises:
        ConfigError: the configuration is faulty, before or after it; nothing was changed.
        StoreError: a file cannot be written; nothing was changed.
    """
    with locked(_real(aim.path / FRAGMENTS if aim.path.is_dir() else aim.path)):
        for _ in range(_TRIES):
            layout = Layout.read(aim)
            known, trouble = _before(layout)
            edit = make(layout) if trouble is None else _mending(layout, make, trouble)
            former = None if edit is None else layout.text(edit.file)
            if edit is None or former == edit.text:
                return None
            after = layout.with_text(edit.file, edit.text)
            checked(after, known, edit.names)
            if _is_as_read(edit.file, former):
                backup = _write(edit, former)
                return Done(edit.file, backup, layout, after)
    raise StoreError(f"{aim.path} is changed all the time by somebody else", "nothing was changed")


def judged_before(layout: Layout) -> None:
    """See that the files are sound before a change.

    Raises:
        ConfigError: a faulty document, which nobody is to build on.
    """
    trouble = _before(layout)[1]
    if trouble is not None:
        raise trouble


def faults_of(layout: Layout) -> Mapping[str, Problem]:
    """What is wrong with single servers; nothing where the document as a whole is faulty."""
    return _before(layout)[0]


def _before(layout: Layout) -> tuple[Mapping[str, Problem], ConfigError | None]:
    try:
        return layout.judged().faults, None
    except ConfigError as error:
        first = Problem("the configuration is faulty already; nothing was changed", "mend this first:")
        return {}, ConfigError(first, *error.problems)


def _mending(layout: Layout, make: Callable[[Layout], Edit | None], trouble: ConfigError) -> Edit | None:
    """A change of a faulty configuration, which is made only if nothing is wrong with it afterwards.

    Raises:
        ConfigError: what is wrong with it, and would still be.
    """
    try:
        edit = make(layout)
        if edit is not None:
            layout.with_text(edit.file, edit.text).judged()
    except ConfigError:
        raise trouble from None
    return edit


def checked(layout: Layout, known: Mapping[str, Problem], names: tuple[str, ...]) -> None:
    """See whether what the files would make after a change is sound; `known` are faults that were there before.

    Raises:
        ConfigError: a faulty document, or a faulty server among those that the change is about.
    """
    try:
        judged = layout.judged()
    except ConfigError as error:
        raise _refused(*error.problems) from None
    faults = {name: fault for name, fault in judged.faults.items() if not is_unresolved(fault)}
    new = [fault for name, fault in faults.items() if name in names and known.get(name) != fault]
    if new:
        raise _refused(*new)
    size = max(len(source.text.encode()) for source in layout.sources)
    if size > MAX_BYTES:
        raise _refused(Problem("the file would be larger than 10 MiB"))


def checked_entries(
    layout: Layout, known: Mapping[str, Problem], entries: Mapping[str, Mapping[str, Any]]
) -> None:
    """See whether entries would do that stand in no file yet.

    Raises:
        ConfigError: one would not; their problems have no places.
    """
    try:
        checked(layout.with_entries(entries), known, tuple(entries))
    except ConfigError as error:
        problems = [replace(each, file="", line=0) if each.file == FRESH else each for each in error.problems]
        raise ConfigError(*problems) from None


def _refused(*problems: Problem) -> ConfigError:
    return ConfigError(
        Problem("the configuration would be faulty; nothing was changed", "because of this:"), *problems
    )


def _is_as_read(file: Path, text: str | None) -> bool:
    try:
        return _real(file).read_bytes() == (None if text is None else text.encode())
    except FileNotFoundError:
        return text is None
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}", "nothing was changed") from None


def _write(edit: Edit, former: str | None) -> Path | None:
    real = _real(edit.file)
    if former is None:
        _make_folder(real.parent)
        replaced(real, edit.text.encode())
        return None
    try:
        like = real.stat()
    except OSError as error:
        raise StoreError(f"{edit.file} cannot be read: {error.strerror}", "nothing was changed") from None
    if not os.access(real, os.W_OK):
        raise StoreError(f"{edit.file} may not be written", "nothing was changed; see its mode and its owner")
    backup = real.with_name(real.name + BACKUP)
    for file in (real, backup):
        clear(file)
    replaced(real, edit.text.encode(), like, backup)
    named = edit.file.with_name(backup.name)
    return named if named.resolve() == backup else backup


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}", "nothing was changed") from None


def _real(path: Path) -> Path:
    """The file itself, where a link leads to it.

    Raises:
        StoreError: it is mounted from somewhere that would undo every change.
    """
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:
        raise StoreError(f"{path} leads nowhere: {error}", "nothing was changed") from None
    if any(part.startswith("..") for part in real.parts):  # ..data and what it leads to
        what = f"{path} is mounted from a ConfigMap or a Secret"
        raise StoreError(what, "nothing was changed; change it there")
    return real
