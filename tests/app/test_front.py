"""What `--trust-proxy` takes."""

import pytest

from onemcp.app.front import trusted
from onemcp.config.settings import FileValue, resolve
from onemcp.errors import ConfigError


def test_proxies_on_this_machine_are_trusted_if_nothing_else_is_said() -> None:
    trust = trusted(resolve({}))
    assert trust.trusts("127.0.0.1")
    assert not trust.trusts("10.0.0.1")


def test_what_means_nothing_is_told_with_its_place_and_what_is_taken() -> None:
    with pytest.raises(ConfigError) as refused:
        trusted(resolve({}, {"trust_proxy": "loopback,10.0.0.300"}))
    text = str(refused.value)
    assert text.startswith("--trust-proxy: 10.0.0.300 is no proxy to trust; it takes none, loopback, ")
    assert "10.0.0.0/8" in text
    with pytest.raises(ConfigError, match=r"^ONE_MCP_TRUST_PROXY: true is no"):
        trusted(resolve({"ONE_MCP_TRUST_PROXY": "true"}))
    with pytest.raises(ConfigError, match=r"^mcp\.json:3: 0 is no"):
        trusted(resolve({}, {}, {"trustProxy": FileValue(["0"], "mcp.json", 3, 1)}))
