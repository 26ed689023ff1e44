"""Handshake-era sessions."""

from msgspec import Raw

from onemcp.gateway.sessions import LIFETIME, MAX_GIVEN, MAX_REMEMBERED, Sessions
from onemcp.seal.keyring import MAX_TOKEN, Keyring

NONE = Raw(b"{}")
ring = Keyring.ephemeral()


def test_an_id_finds_its_session() -> None:
    sessions = Sessions(ring)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(session.token, "", 1.0) is session


def test_an_id_outlives_the_process_that_gave_it() -> None:
    token = Sessions(ring).open("2025-06-18", "", Raw(b'{"roots":{}}'), 0.0).token
    session = Sessions(ring).find(token, "", 1.0)
    assert session is not None
    assert session.revision == "2025-06-18"
    assert bytes(session.capabilities) == b'{"roots":{}}'
    assert session.seen < 0, "what the client heard before is not known"


def test_an_id_is_good_for_its_endpoint_only() -> None:
    sessions = Sessions(ring)
    token = sessions.open("2025-11-25", "git", NONE, 0.0).token
    assert sessions.find(token, "", 1.0) is None
    assert Sessions(ring).find(token, "time", 1.0) is None
    assert sessions.find(token, "git", 1.0) is not None


def test_an_id_expires() -> None:
    sessions = Sessions(ring)
    token = sessions.open("2025-11-25", "", NONE, 0.0).token
    assert sessions.find(token, "", LIFETIME) is None


def test_an_ended_session_is_not_found_and_not_rebuilt() -> None:
    sessions = Sessions(ring)
    session = sessions.open("2025-11-25", "", NONE, 0.0)
    sessions.end(session, 1.0)
    assert sessions.find(session.token, "", 2.0) is None


def test_made_up_ids_are_not_found() -> None:
    sessions = Sessions(ring)
    for token in ("", "x", "v1.AAAA", "v1." + "A" * 5000, "\u00e4"):
        assert sessions.find(token, "", 0.0) is None


def test_large_capabilities_still_fit_into_a_header() -> None:
    large = b'{"experimental":{"x":"%b"},"sampling":{"tools":{}},"roots":{"listChanged":true}}' % (
        b"y" * 9000
    )
    session = Sessions(ring).open("2025-11-25", "a" * 64, Raw(large), 0.0)
    assert len(session.token) <= MAX_TOKEN
    assert bytes(session.capabilities) == b'{"roots":{},"sampling":{}}'


def test_memory_is_bounded_and_a_forgotten_session_comes_back() -> None:
    sessions = Sessions(ring)
    first = sessions.open("2025-11-25", "", NONE, 0.0)
    for _ in range(MAX_REMEMBERED):
        sessions.open("2025-11-25", "", NONE, 0.0)
    assert len(sessions) == MAX_REMEMBERED
    back = sessions.find(first.token, "", 1.0)
    assert back is not None
    assert back.sid == first.sid


def test_only_the_latest_given_uris_are_remembered() -> None:
    session = Sessions(ring).open("2025-11-25", "", NONE, 0.0)
    session.note_given((f"x://{number}" for number in range(MAX_GIVEN + 5)), "a")
    session.note_given(["x://5"], "b")
    assert len(session.given) == MAX_GIVEN
    assert list(session.given)[-1] == "x://5"
    assert session.given["x://5"] == "b"


def test_a_session_in_use_is_not_the_one_that_is_forgotten() -> None:
    sessions = Sessions(ring)
    first = sessions.open("2025-11-25", "", NONE, 0.0)
    for _ in range(MAX_REMEMBERED - 1):
        sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(first.token, "", 1.0) is first
    sessions.open("2025-11-25", "", NONE, 0.0)
    assert sessions.find(first.token, "", 1.0) is first


def test_what_is_remembered_of_ended_sessions_is_bounded_by_their_expiry() -> None:
    sessions = Sessions(ring)
    for number in range(10):
        sessions.end(sessions.open("2025-11-25", "", NONE, float(number)), float(number))
    assert len(sessions._ended) == 10
    sessions.end(sessions.open("2025-11-25", "", NONE, LIFETIME + 5.5), LIFETIME + 5.5)
    assert len(sessions._ended) == 5
