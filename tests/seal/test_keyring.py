"""Sealing and opening tokens."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.errors import StartError
from onemcp.seal.keyring import Keyring

ring = Keyring.ephemeral()


@given(st.binary(max_size=300), st.text(max_size=20))
def test_a_token_opens_for_its_purpose_only(payload: bytes, purpose: str) -> None:
    token = ring.seal(purpose, payload)
    assert token.isascii()
    assert token.isprintable()
    assert ring.open(purpose, token) == payload
    assert ring.open(purpose + "x", token) is None


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_changed_token_does_not_open(payload: bytes, data: st.DataObject) -> None:
    token = ring.seal("p", payload)
    # The last character may carry bits that base64 does not use.
    place = data.draw(st.integers(3, len(token) - 2))
    other = "A" if token[place] != "A" else "B"
    assert ring.open("p", token[:place] + other + token[place + 1 :]) is None


@given(st.text(max_size=2000))
def test_foreign_text_does_not_open(text: str) -> None:
    assert ring.open("p", text) is None
    assert ring.open("p", "v1." + text) is None


def test_another_ring_does_not_open_it() -> None:
    assert Keyring.ephemeral().open("p", ring.seal("p", b"x")) is None


@pytest.mark.parametrize("more", ["=", "==", "\n", "!", "=" * 4])
def test_a_token_has_one_spelling(more: str) -> None:
    token = ring.seal("p", b"payload")
    assert ring.open("p", token) == b"payload"
    assert ring.open("p", token + more) is None
    assert ring.open("p", token[:10] + more + token[10:]) is None


def test_a_kept_key_opens_tokens_of_the_process_before(tmp_path: Path) -> None:
    path = tmp_path / "session.key"
    token = Keyring.load(path).seal("p", b"x")
    assert Keyring.load(path).open("p", token) == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["session.key"]


def test_a_damaged_key_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "session.key"
    path.write_bytes(b"short")
    with pytest.raises(StartError, match=r"session\.key: not a key of 32 bytes; remove the file"):
        Keyring.load(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="choose another --state-dir"):
        Keyring.load(tmp_path / "missing" / "session.key")


def test_a_purpose_may_need_longer_tokens() -> None:
    ring = Keyring.ephemeral()
    token = ring.seal("p", b"x" * 100_000)
    assert ring.open("p", token) is None
    assert ring.open("p", token, limit=200_000) == b"x" * 100_000
