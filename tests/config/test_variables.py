"""Variables that begin like ours and are none of ours."""

import pytest

from onemcp.config.settings import resolve
from onemcp.config.variables import service_links, unknown

LINKS = {
    "ONE_MCP_SERVICE_HOST": "10.0.0.1",
    "ONE_MCP_SERVICE_PORT": "3050",
    "ONE_MCP_SERVICE_PORT_HTTP": "3050",
    "ONE_MCP_PORT": "tcp://10.0.0.1:3050",
    "ONE_MCP_PORT_3050_TCP": "tcp://10.0.0.1:3050",
    "ONE_MCP_PORT_3050_TCP_PROTO": "tcp",
    "ONE_MCP_PORT_3050_TCP_PORT": "3050",
    "ONE_MCP_PORT_3050_TCP_ADDR": "10.0.0.1",
}


def test_the_variables_of_a_kubernetes_service_are_ignored_with_one_notice() -> None:
    settings = resolve(LINKS, {"port": "4000"})
    assert settings.port == 4000
    assert settings.origins["port"] == "flag --port"
    (notice,) = settings.notices
    assert all(name in notice for name in LINKS)
    assert notice.startswith("ignored the variables that Kubernetes made")


@pytest.mark.parametrize("service", ["ONE_MCP_GATEWAY", "ONE_MCP_2"])
def test_those_of_a_service_whose_name_only_begins_so_too(service: str) -> None:
    links = {name.replace("ONE_MCP", service, 1): value for name, value in LINKS.items()}
    assert service_links(links).names == links.keys()


def test_a_port_that_is_a_number_is_the_setting() -> None:
    assert service_links({"ONE_MCP_PORT": "3050", "PORT": "tcp://10.0.0.1:3050"}).names == frozenset()


def test_an_unknown_variable_is_told_with_the_nearest_name() -> None:
    settings = resolve({"ONE_MCP_PROT": "1", "ONE_MCP_XYZZY": "1", "OTHER": "1"})
    assert settings.notices == (
        "ONE_MCP_PROT is no setting and was ignored; did you mean ONE_MCP_PORT?",
        "ONE_MCP_XYZZY is no setting and was ignored",
    )


def test_known_variables_are_not_told() -> None:
    assert unknown(["ONE_MCP_A", "B"], ["ONE_MCP_A"]) == ()


def test_variables_about_secrets_are_no_mistyped_settings() -> None:
    assert (
        unknown(["ONE_MCP_SECRET_API_KEY", "ONE_MCP_SECRETS_DIR", "ONE_MCP_SECRETS_KEY"], ["ONE_MCP_PORT"])
        == ()
    )
