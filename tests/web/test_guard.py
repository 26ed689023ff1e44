"""Host and Origin."""

import pytest

from onemcp.web.guard import Guard

guard = Guard(["gateway.example", "10.0.0.5"], ["https://app.example"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:3050", "127.0.0.1:3050", "[::1]:3050", "gateway.example", "GATEWAY.example:80"],
)
def test_known_hosts_pass(host: str) -> None:
    assert guard.objection(host.encode(), b"") == ""


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]:3050"]
)
def test_other_hosts_are_refused_with_the_way_out(host: str) -> None:
    objection = guard.objection(host.encode(), b"")
    assert "is not allowed here" in objection
    assert "--allowed-hosts" in objection


@pytest.mark.parametrize("origin", ["https://app.example", "http://localhost:6274", "http://gateway.example"])
def test_pages_of_the_operator_pass(origin: str) -> None:
    assert guard.objection(b"localhost", origin.encode()) == ""


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "file://localhost",
        "http://[",
        "http://[localhost]",
        "https://app.example, null",
    ],
)
def test_other_pages_are_refused(origin: str) -> None:
    assert "--allowed-origins" in guard.objection(b"localhost", origin.encode())


def test_any_host_may_be_allowed_and_pages_are_still_named() -> None:
    anywhere = Guard(["*"], ["https://app.example"])
    assert anywhere.objection(b"whatever:1", b"") == ""
    assert anywhere.objection(b"whatever:1", b"https://app.example") == ""
    assert anywhere.objection(b"whatever:1", b"http://whatever:1") != ""


def test_verdicts_are_remembered_within_bounds() -> None:
    many = Guard([], [])
    for number in range(2000):
        assert many.objection(b"h%d" % number, b"") != ""
    assert len(many._judged) <= 256
