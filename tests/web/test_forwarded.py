"""Who really asks, behind proxies that are believed and others that are not."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.web.forwarded import MAX_HOPS, NOBODY, Client, Trust, to_address

LOOPBACK = Trust.parse(["loopback"])
NETWORK = Trust.parse(["loopback", "10.0.0.0/8", "fd00::/8"])


def lines(*headers: tuple[str, str]) -> Sequence[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in (("host", "gw:3050"), *headers)]


def behind(trust: Trust, peer: str, **headers: str) -> Client:
    return trust.client(peer, lines(*((name.replace("_", "-"), value) for name, value in headers.items())))


def test_without_headers_the_peer_is_the_client() -> None:
    assert behind(LOOPBACK, "127.0.0.1") == Client("127.0.0.1", "http", "gw:3050")


def test_a_trusted_peer_tells_address_scheme_and_host() -> None:
    told = behind(
        LOOPBACK,
        "127.0.0.1",
        x_forwarded_for="203.0.113.7",
        x_forwarded_proto="https",
        x_forwarded_host="gw.example.com",
    )
    assert told == Client("203.0.113.7", "https", "gw.example.com")


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::1", "10.0.0.1", ""])
def test_any_other_peer_tells_nothing(peer: str) -> None:
    told = behind(
        LOOPBACK,
        peer,
        x_forwarded_for="127.0.0.1",
        x_forwarded_proto="https",
        x_forwarded_host="localhost",
        forwarded="for=127.0.0.1;host=localhost;proto=https",
    )
    assert told == Client(peer, "http", "gw:3050")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("1.1.1.1, 203.0.113.7, 10.0.0.2, 10.0.0.3", "203.0.113.7"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("1.1.1.1, unknown, 10.0.0.3", "10.0.0.3"),
        ("1.1.1.1, , 10.0.0.3", "10.0.0.3"),
        ("nonsense", "127.0.0.1"),
        ("203.0.113.7:1234", "203.0.113.7"),
        ("[2001:db8::7]:1234", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("1.1.1.1,fd00::9", "1.1.1.1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_chain_is_read_from_its_right_end(chain: str, client: str) -> None:
    assert behind(NETWORK, "127.0.0.1", x_forwarded_for=chain).address == client


def test_a_header_that_is_repeated_is_one_list() -> None:
    headers = lines(("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7, 10.0.0.1"))
    assert NETWORK.client("127.0.0.1", headers).address == "203.0.113.7"


@pytest.mark.parametrize(
    ("hops", "client"), [(1, "10.0.0.3"), (2, "203.0.113.7"), (3, "1.1.1.1"), (9, "1.1.1.1")]
)
def test_a_number_of_hops_is_counted_from_here(hops: int, client: str) -> None:
    trust = Trust.parse([str(hops)])
    assert behind(trust, "172.16.0.9", x_forwarded_for="1.1.1.1, 203.0.113.7, 10.0.0.3").address == client


def test_scheme_and_host_are_those_that_the_clients_own_proxy_saw() -> None:
    told = behind(
        NETWORK,
        "127.0.0.1",
        x_forwarded_for="1.1.1.1, 203.0.113.7, 10.0.0.3",
        x_forwarded_proto="http, https, http",
        x_forwarded_host="spoofed, gw.example.com, inner",
    )
    assert told == Client("203.0.113.7", "https", "gw.example.com")


@pytest.mark.parametrize("scheme", ["gopher", "", "https\x00"])
def test_a_scheme_that_is_none_is_not_believed(scheme: str) -> None:
    assert behind(LOOPBACK, "::1", x_forwarded_for="1.1.1.1", x_forwarded_proto=scheme).scheme == "http"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (
            "for=203.0.113.7;proto=https;host=gw.example.com",
            Client("203.0.113.7", "https", "gw.example.com"),
        ),
        ('For="[2001:db8::7]:4711"', Client("2001:db8::7", "http", "gw:3050")),
        (
            'for=1.1.1.1, for="203.0.113.7" ; proto=HTTPS, for=10.0.0.1',
            Client("203.0.113.7", "https", "gw:3050"),
        ),
        ('for=203.0.113.7;host="a,b;c\\"d"', Client("203.0.113.7", "http", 'a,b;c"d')),
        ("for=_hidden, for=10.0.0.1", Client("10.0.0.1", "http", "gw:3050")),
        ("nonsense", Client("127.0.0.1", "http", "gw:3050")),
    ],
)
def test_forwarded_says_the_same(header: str, client: Client) -> None:
    assert behind(NETWORK, "127.0.0.1", forwarded=header) == client


def test_forwarded_is_ignored_beside_the_other_headers() -> None:
    told = behind(LOOPBACK, "127.0.0.1", x_forwarded_for="203.0.113.7", forwarded="for=1.1.1.1;host=evil")
    assert told == Client("203.0.113.7", "http", "gw:3050")


@pytest.mark.parametrize("words", [[], ["none"], ["NONE"], ["false"]])
def test_nobody_is_trusted_if_that_is_said(words: list[str]) -> None:
    assert not Trust.parse(words).trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("words", "trusted"),
    [
        (["loopback"], ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]),
        (["linklocal"], ["169.254.1.1", "fe80::1", "fe80::1%eth0"]),
        (["uniquelocal"], ["10.1.1.1", "172.31.0.1", "192.168.0.1", "fd12::1"]),
        (["203.0.113.9", "2001:db8::/32"], ["203.0.113.9", "2001:db8:1::5"]),
    ],
)
def test_the_words_mean_networks(words: list[str], trusted: list[str]) -> None:
    trust = Trust.parse(words)
    assert all(map(trust.trusts, trusted))
    assert not any(map(trust.trusts, ["8.8.8.8", "2001:4860::1", "", "unknown"]))


@pytest.mark.parametrize(
    "words",
    [
        ["true"],
        ["loopbak"],
        ["10.0.0.1/8"],
        ["300.1.1.1"],
        ["0"],
        ["33"],
        ["1", "loopback"],
        ["none", "loopback"],
        ["-1"],
    ],
)
def test_other_words_mean_nothing(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        Trust.parse(words)
    assert str(refused.value) in words


octet = st.integers(0, 255)
outside = st.tuples(st.integers(11, 126), octet, octet, octet).map(lambda parts: ".".join(map(str, parts)))
inside = st.tuples(octet, octet, octet).map(lambda parts: "10." + ".".join(map(str, parts)))
header = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=60)
anything = st.lists(
    st.tuples(
        st.sampled_from(["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"]),
        header | outside | inside,
    ),
    max_size=6,
)


@given(anything, outside)
def test_an_untrusted_peer_is_never_believed_whatever_it_sends(
    headers: list[tuple[str, str]], peer: str
) -> None:
    plain = Client(peer, "http", "gw:3050")
    assert NETWORK.client(peer, lines(*headers)) == plain
    assert NOBODY.client(peer, lines(*headers)) == plain


@given(anything)
def test_nothing_that_is_sent_breaks_it(headers: list[tuple[str, str]]) -> None:
    for trust in (NETWORK, Trust.parse(["2"])):
        client = trust.client("127.0.0.1", lines(*headers))
        assert client.scheme in ("http", "https")
        assert to_address(client.address) == client.address


@given(st.lists(outside | inside | header.filter(lambda text: "," not in text)), outside, st.lists(inside))
def test_what_a_client_writes_itself_never_changes_its_address(
    written: list[str], client: str, proxies: list[str]
) -> None:
    """The nearest proxy trusted has added the client's address to the right of whatever the client sent."""
    chain = ", ".join([*written, client, *proxies])
    assert behind(NETWORK, "10.0.0.9", x_forwarded_for=chain).address == client
    hops = len(proxies) + 1
    if hops <= MAX_HOPS:
        assert behind(Trust.parse([str(hops)]), "10.0.0.9", x_forwarded_for=chain).address == client
