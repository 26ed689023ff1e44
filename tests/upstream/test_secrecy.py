"""The register of what is secret of each upstream."""

from dataclasses import replace

from onemcp.core.spec import StdioTransport, UpstreamSpec
from onemcp.upstream.secrecy import hide, learn, without_secrets_of

ENVIRON = {"PATH": "/usr/bin", "GITHUB_TOKEN": "inherited-token"}


def spec(name: str, **env: str) -> UpstreamSpec:
    return UpstreamSpec(name, StdioTransport(("server",), tuple(env.items()), env_filter=("GITHUB_*",)))


def test_what_is_learnt_of_one_is_hidden_in_texts_about_that_one_only() -> None:
    learn(spec("secrecy-one", X="first-value"), ENVIRON)
    text = "first-value and inherited-token"
    assert hide("secrecy-one", text) == "*** and ***"
    assert hide("secrecy-two", text) == text


def test_after_a_change_what_was_before_is_hidden_too() -> None:
    """What the former process has written may be told after the change."""
    for value in ("value-one", "value-two", "value-two"):
        learn(spec("secrecy-changing", X=value), ENVIRON)
    assert hide("secrecy-changing", "value-one value-two") == "*** ***"
    learn(spec("secrecy-changing", X="value-three"), ENVIRON)
    assert hide("secrecy-changing", "value-one value-two value-three") == "value-one *** ***"


def test_what_looks_like_a_credential_is_hidden_beside_it() -> None:
    learn(spec("secrecy-one", X="first-value"), ENVIRON)
    assert without_secrets_of("secrecy-one", "first-value token=x") == "*** token=***"


def test_a_name_of_any_length_is_known_by_what_the_log_has_of_it() -> None:
    long = "secrecy-" + "x" * 300
    learn(replace(spec(long, X="first-value")), ENVIRON)
    assert hide(long, "first-value") == hide(long[:200], "first-value") == "***"


def test_what_is_hidden_can_be_told() -> None:
    assert hide("secrecy-nobody", "a\udcff") == "a?"
