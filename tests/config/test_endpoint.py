"""The URLs of the endpoint, and the names that lead to it."""

import pytest

from onemcp.config.endpoint import client_url, local_url, own_hosts
from onemcp.config.settings import resolve


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3050/mcp"),
        ("0.0.0.0", "http://127.0.0.1:3050/mcp"),
        ("::1", "http://[::1]:3050/mcp"),
        ("gw.internal", "http://gw.internal:3050/mcp"),
    ],
)
def test_without_an_external_url_clients_get_the_address_that_is_bound(host: str, url: str) -> None:
    settings = resolve({}, {"host": host})
    assert client_url(settings, 3050) == local_url(settings, 3050) == url


@pytest.mark.parametrize(
    ("external", "url"),
    [
        ("https://mcp.example.com", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://example.com:8443/gateway/", "https://example.com:8443/gateway/mcp"),
    ],
)
def test_the_endpoint_is_below_the_external_url(external: str, url: str) -> None:
    settings = resolve({}, {"external_url": external})
    assert client_url(settings, 3050) == url
    assert local_url(settings, 3050) == "http://127.0.0.1:3050/mcp"


@pytest.mark.parametrize(
    ("external", "name"),
    [("https://mcp.example.com:8443/x", "mcp.example.com"), ("http://[2001:db8::1]:80", "[2001:db8::1]")],
)
def test_the_external_name_may_be_in_host(external: str, name: str) -> None:
    settings = resolve({}, {"external_url": external, "allowed_hosts": "other"})
    assert own_hosts(settings) == ("other", "127.0.0.1", name)


def test_without_one_there_is_no_further_name() -> None:
    assert own_hosts(resolve({})) == ("127.0.0.1",)
