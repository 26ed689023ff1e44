"""What an entry says of sharing: whose its connections are, and what the server is told of its clients' roots."""

from collections.abc import Mapping
from dataclasses import dataclass

from onemcp.config.section import Item, Section
from onemcp.core.spec import Isolation, Partitioning, Roots


def read_partitioning(section: Section) -> Partitioning:
    """`isolation`, `maxConnections` and `idleTimeout` (ms)."""
    plain = Partitioning()
    most = section.number("maxConnections", 1, "a whole number from 1", whole=True)
    idle = section.number("idleTimeout", 1, "a number of milliseconds from 1")
    return Partitioning(
        _isolation(section),
        plain.max_connections if most is None else int(most),
        plain.idle_timeout if idle is None else idle / 1000,
    )


def _isolation(section: Section) -> Isolation:
    item = section.text("isolation")
    if item is None:
        return Isolation.SHARED
    if item.raw not in set(Isolation):
        section.refuse(item, " or ".join(f'"{word}"' for word in Isolation))
        return Isolation.SHARED
    return Isolation(item.raw)


@dataclass(frozen=True, slots=True)
class WrittenRoots:
    """The roots as they were written, references and all: each URI and its name."""

    given: tuple[tuple[Item, str], ...] = ()

    def resolved(self, environ: Mapping[str, str]) -> Roots:
        """The roots that are meant.

        Raises:
            ConfigError: a URI has a reference that cannot be resolved, or is none of a file.
        """
        return Roots(tuple((_file_uri(item, environ), name) for item, name in self.given))


def read_roots(section: Section) -> WrittenRoots | None:
    """`roots`: true to ask the client, or an array of `file://` URIs, each as text or as `{"uri", "name"}`."""
    item = section.get("roots")
    if item is None or item.node.value is False:
        return None
    if not isinstance(item.node.value, bool | list):
        section.refuse(item, "true, false or an array of roots")
        return None
    found = [_root(section, element) for element in section.elements("roots")]
    return WrittenRoots(tuple(root for root in found if root is not None))


def _root(section: Section, item: Item) -> tuple[Item, str] | None:
    uri, name = item, ""
    if isinstance(item.node.value, dict):
        inner = section.inner(item)
        inner.only({"uri", "name"})
        named = inner.text("name")
        uri, name = inner.text("uri") or item, named.raw if named is not None else ""
    if not isinstance(uri.node.value, str):
        section.refuse(uri, 'a root, as "file:///folder" or {"uri": "file:///folder", "name": "..."}')
        return None
    return uri, name


def _file_uri(item: Item, environ: Mapping[str, str]) -> str:
    uri = item.text(environ)
    if not uri.startswith("file://"):
        raise item.fault(f"{item.raw} is no root: its URI begins with file://", "write file:///folder")
    return uri
