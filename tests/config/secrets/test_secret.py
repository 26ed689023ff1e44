"""A text that nobody reads by accident."""

import copy
import json
import logging
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.config.secrets.secret import Secret

CANARY = "canary-7f3a"


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{:>20}".format, "%s".__mod__, lambda s: f"{s!r}"])
def test_it_shows_as_stars_however_it_is_put_into_a_text(shown: object) -> None:
    assert callable(shown)
    assert shown(Secret(CANARY)) == "***"


def test_it_shows_as_stars_inside_of_others() -> None:
    assert CANARY not in repr({"a": [Secret(CANARY)], "b": (Secret(CANARY),)})


def test_a_log_does_not_tell_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("x").info("the token is %s, %r", Secret(CANARY), Secret(CANARY))
    assert CANARY not in caplog.text


@pytest.mark.parametrize("encode", [pickle.dumps, json.dumps, msgspec.json.encode, copy.copy, copy.deepcopy])
def test_it_is_not_encoded_or_copied(encode: object) -> None:
    assert callable(encode)
    with pytest.raises(TypeError) as caught:
        encode({"a": Secret(CANARY)} if encode is not copy.copy else Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_it_has_no_attribute_that_a_walk_through_objects_finds() -> None:
    secret = Secret(CANARY)
    assert not hasattr(secret, "__dict__")
    assert not [
        name for name in dir(secret) if not name.startswith("_") and name not in ("reveal", "fingerprint")
    ]


@given(st.text(), st.text())
def test_two_are_the_same_when_their_texts_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert (Secret(one).fingerprint() == Secret(other).fingerprint()) == (one == other)
    assert Secret(one).reveal() == one


def test_it_is_no_key_and_no_text() -> None:
    with pytest.raises(TypeError):
        hash(Secret(CANARY))
    assert Secret(CANARY) != CANARY
