"""What an entry says of sharing: partitions and roots."""

import pytest
from tests.config.test_entry import HTTP, fault, refused, spec

from onemcp.core.spec import Isolation, Partitioning, Roots


def test_connections_are_shared_unless_somebody_says_otherwise() -> None:
    assert spec(HTTP).partitioning == Partitioning(Isolation.SHARED)
    assert spec({**HTTP, "isolation": "shared"}).partitioning == Partitioning(Isolation.SHARED)


def test_a_session_may_have_a_connection_of_its_own_within_bounds() -> None:
    found = spec({**HTTP, "isolation": "session", "maxConnections": 7, "idleTimeout": 1500}).partitioning
    assert found == Partitioning(Isolation.SESSION, 7, 1.5)


def test_roots_are_none_or_the_client_s_or_those_of_the_entry() -> None:
    assert spec(HTTP).roots is None
    assert spec({**HTTP, "roots": False}).roots is None
    assert spec({**HTTP, "roots": True}).roots == Roots()
    roots = ["file://${HOME}/a", {"uri": "file:///b", "name": "B"}, {"uri": "file:///c"}]
    given = (("file:///home/ada/a", ""), ("file:///b", "B"), ("file:///c", ""))
    assert spec({**HTTP, "roots": roots}).roots == Roots(given)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"isolation": "none"}, 'x.isolation: expected "shared" or "session", found a string'),
        ({"isolation": True}, "x.isolation: expected a string, found true"),
        ({"maxConnections": 0}, "x.maxConnections: expected a whole number from 1, found 0"),
        ({"idleTimeout": 0}, "x.idleTimeout: expected a number of milliseconds from 1, found 0"),
        ({"roots": "file:///a"}, "x.roots: expected true, false or an array of roots, found a string"),
        ({"roots": [{"uri": "file:///a", "url": ""}]}, "x.roots[0].url: unknown key"),
        (
            {"roots": [1]},
            'x.roots[0]: expected a root, as "file:///folder" or {"uri": "file:///folder", "name": "..."}, found 1',
        ),
    ],
)
def test_what_means_nothing_is_refused(members: dict[str, object], sentence: str) -> None:
    assert refused({**HTTP, **members}) == [f"mcpServers.{sentence}"]


def test_a_root_that_is_no_file_is_a_fault_of_the_entry() -> None:
    found = fault({**HTTP, "roots": ["http://h/"]})
    assert found == "x.roots[0]: http://h/ is no root: its URI begins with file://"
