"""Host and Origin."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.web.guard import Guard, host_name, is_address

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


MALFORMED = [
    "[",
    "[::evil",
    "[::1",
    "[evil]",
    "[127.0.0.1]",
    "[::1]x",
    "[::1]:x",
    "localhost:x",
    "localhost:80:90",
    "localhost:-1",
    "localhost:\u0661",
    "local host",
    "localhost/",
    "user@localhost",
    "localhost, evil.example",
    "\u00e4",
]


@pytest.mark.parametrize("host", MALFORMED)
@pytest.mark.parametrize("hosts", [["gateway.example"], ["*"], ["[::evil"]])
def test_what_is_no_host_is_refused_whatever_is_allowed(host: str, hosts: list[str]) -> None:
    assert host_name(host) == ""
    assert not is_address(host)
    assert "is none" in Guard(hosts, []).objection(host.encode(), b"")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Localhost:3050", "localhost"),
        ("localhost:", "localhost"),
        ("a_b-c.example", "a_b-c.example"),
        ("[::1]", "[::1]"),
        ("[FD00::1]:9090", "[fd00::1]"),
        ("10.0.0.5:80", "10.0.0.5"),
    ],
)
def test_the_name_of_a_host_is_what_stands_before_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_is_one(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert is_address(host)
    assert is_address(f"{host}:{port}")


@given(st.text())
def test_no_text_is_an_address_that_python_does_not_take(host: str) -> None:
    if is_address(host):
        ipaddress.ip_address(host_name(host).strip("[]"))


@pytest.mark.parametrize("host", ["1.2.3", "1.2.3.x", "1.2.3.4.evil.example", "256.1.1.1", "01.2.3.4", ""])
def test_a_name_is_no_address(host: str) -> None:
    assert not is_address(host)


def test_a_page_is_judged_by_itself_where_the_host_does_not_matter() -> None:
    assert guard.objection_to_page(b"") == guard.objection_to_page(b"https://app.example") == ""
    assert "--allowed-origins" in guard.objection_to_page(b"https://evil.example")


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


def test_what_is_allowed_can_be_changed_while_it_judges() -> None:
    guard = Guard(["a.example"], ["https://p.example"])
    assert not guard.objection(b"a.example", b"https://p.example")
    guard.adopt(["b.example"], [])
    assert guard.objection(b"a.example", b"")
    assert not guard.objection(b"b.example", b"")
    assert guard.objection(b"b.example", b"https://p.example")
