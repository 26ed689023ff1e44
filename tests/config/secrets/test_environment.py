"""Secrets in the environment."""

import pytest

from onemcp.config.secrets.environment import Environment, EnvironmentConfig, variable_of
from onemcp.config.secrets.provider import SecretError

pytestmark = pytest.mark.anyio


async def text(environ: dict[str, str], path: str, field: str = "") -> str | None:
    found = await Environment("env", EnvironmentConfig(), environ).get(path, field)
    return found.secret.reveal() if found is not None else None


async def test_the_variable_of_the_secret_comes_before_the_one_of_its_very_name() -> None:
    environ = {"ONE_MCP_SECRET_API_KEY": "ours", "api-key": "plain", "TOKEN": "t"}
    assert await text(environ, "api-key") == "ours"
    assert await text(environ, "TOKEN") == "t"
    assert await text(environ, "token") is None


async def test_an_empty_variable_is_not_set() -> None:
    assert await text({"ONE_MCP_SECRET_A": "", "a": ""}, "a") is None


async def test_a_field_is_a_member_of_json() -> None:
    assert await text({"DB": '{"password": "p"}'}, "DB", "password") == "p"
    with pytest.raises(SecretError) as caught:
        await text({"DB": "canary"}, "DB", "password")
    assert str(caught.value) == (
        "the variable DB is no object of JSON, so it has no member password; leave #password away"
    )


async def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(SecretError, match="not UTF-8"):
        await text({"A": "\udcff"}, "A")


def test_every_name_has_a_variable() -> None:
    assert variable_of("db/main.password") == "ONE_MCP_SECRET_DB_MAIN_PASSWORD"
