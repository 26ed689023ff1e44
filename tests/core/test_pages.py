"""Pages whose cursors survive a change of the catalog."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.pages import Position, after, decode, encode

Keys = list[tuple[str, str]]

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
CATALOGS = st.lists(
    st.tuples(NAMES, st.lists(st.sampled_from("12345678"), unique=True)), unique_by=lambda entry: entry[0]
)


def flat(catalog: list[tuple[str, list[str]]]) -> Keys:
    return [(upstream, key) for upstream, keys in catalog for key in keys]


def cursor(keys: Keys, last: int, order: list[str]) -> str:
    upstream, key = keys[last]
    first = next(index for index, (name, _) in enumerate(keys) if name == upstream)
    return encode(upstream, order.index(upstream), last - first, key)


def following(keys: Keys, order: list[str], token: str) -> Keys:
    return keys[after(decode(token), keys, order) :]


@given(CATALOGS, st.integers(1, 5))
def test_walking_a_list_that_does_not_change_gives_every_entry_once(
    catalog: list[tuple[str, list[str]]], size: int
) -> None:
    keys, order = flat(catalog), [upstream for upstream, _ in catalog]
    walked, start = keys[:size], min(size, len(keys))
    while start < len(keys):
        token = cursor(keys, start - 1, order)
        start = after(decode(token), keys, order)
        walked += keys[start : start + size]
        start = min(start + size, len(keys))
    assert walked == keys


@given(st.data(), CATALOGS)
def test_entries_that_stay_come_once_while_the_cursors_own_stays(
    data: st.DataObject, catalog: list[tuple[str, list[str]]]
) -> None:
    order = [upstream for upstream, _ in catalog]
    total = flat(catalog)
    if not total:
        return
    before = [entry for entry in total if data.draw(st.booleans())] or total
    last = data.draw(st.integers(0, len(before) - 1))
    token = cursor(before, last, order)
    now = [entry for entry in total if entry == before[last] or data.draw(st.booleans())]
    seen = before[: last + 1] + following(now, order, token)
    assert len(seen) == len(set(seen))
    for entry in set(before) & set(now):
        assert seen.count(entry) == 1


@given(st.data(), CATALOGS.filter(lambda catalog: any(keys for _, keys in catalog)))
def test_entries_that_stay_come_once_when_the_cursors_own_alone_is_removed(
    data: st.DataObject, catalog: list[tuple[str, list[str]]]
) -> None:
    keys, order = flat(catalog), [upstream for upstream, _ in catalog]
    last = data.draw(st.integers(0, len(keys) - 1))
    now = keys[:last] + keys[last + 1 :]
    assert following(now, order, cursor(keys, last, order)) == keys[last + 1 :]


@given(st.data(), CATALOGS.filter(lambda catalog: any(keys for _, keys in catalog)))
def test_the_next_upstreams_follow_one_that_went(
    data: st.DataObject, catalog: list[tuple[str, list[str]]]
) -> None:
    keys, order = flat(catalog), [upstream for upstream, _ in catalog]
    last = data.draw(st.integers(0, len(keys) - 1))
    gone = keys[last][0]
    now = [entry for entry in keys if entry[0] != gone]
    expected = [entry for entry in now if order.index(entry[0]) > order.index(gone)]
    token = cursor(keys, last, order)
    assert following(now, order, token) == expected
    assert following(now, [upstream for upstream in order if upstream != gone], token) == expected


@given(st.text(max_size=200), st.integers(0, 2**40), st.integers(0, 2**40), st.text(max_size=200))
def test_a_cursor_says_what_it_was_made_of(upstream: str, ordinal: int, index: int, key: str) -> None:
    token = encode(upstream, ordinal, index, key)
    assert token.isascii()
    assert "=" not in token
    assert decode(token) == Position(upstream, ordinal, index, key)


def test_a_cursor_of_a_very_long_key_is_short_and_still_finds_it() -> None:
    keys = [("u" * 5000, "k" * 100_000 + str(number)) for number in range(3)]
    token = encode(*("u" * 5000, 0, 1, "k" * 100_000 + "1"))
    assert len(token) < 4096
    assert after(decode(token), keys, ["u" * 5000]) == 2


def test_the_longest_cursor_is_accepted() -> None:
    token = encode("\x01" * 200, 2**62, 2**62, "\x02" * 200)
    assert decode(token).key == "\x02" * 200


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(text)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'[2,"u",0,0,"k"]',
        b'[1,"u",-1,0,"k"]',
        b'[1,"u",0,-1,"k"]',
        b'[1,"u",0,"k"]',
        b'[1, "u",0,0,"k"]',
        b"[1,1,0,0,1]",
    ],
)
def test_a_forged_cursor_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(base64.urlsafe_b64encode(content).decode().rstrip("="))


def test_a_cursor_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="length"):
        decode("A" * 5000)
