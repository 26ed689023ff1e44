"""What is kept of a child's stderr, and what is passed on."""

from hypothesis import given, settings
from hypothesis import strategies as st

from onemcp.upstream.stderr import BURST, LINE_LIMIT, RATE, RING_BYTES, RING_LINES, StderrTail


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tail() -> tuple[StderrTail, list[str], Clock]:
    passed: list[str] = []
    clock = Clock()
    return StderrTail(passed.append, clock), passed, clock


def test_lines_are_passed_on_whole_however_they_are_cut() -> None:
    stderr, passed, _ = tail()
    for piece in (b"one\ntw", b"o\r\n", b"\n", b"thr", b"\xc3", b"\xa9\xff\n"):
        stderr.feed(piece)
    assert passed == ["one", "two", "thré\ufffd"]
    assert stderr.lines == passed


def test_a_flood_is_cut_to_the_rate_and_what_is_left_out_is_told() -> None:
    stderr, passed, clock = tail()
    for _ in range(10):
        stderr.feed(b"x\n" * 100)
    assert len(passed) == BURST
    clock.now += 1
    stderr.feed(b"y\n" * 100)
    assert passed[BURST] == "(900 lines left out)"
    assert len(passed) == BURST + 1 + RATE
    stderr.close()
    assert passed[-1] == "(80 lines left out)"


def test_a_line_without_end_is_cut() -> None:
    stderr, passed, _ = tail()
    for _ in range(100):
        stderr.feed(b"a" * 1000)
    assert len(stderr._rest) <= LINE_LIMIT
    stderr.feed(b"\nb\n")
    assert passed == ["a" * LINE_LIMIT, "b"]


def test_the_last_words_are_the_last_line_that_says_something() -> None:
    stderr, _, _ = tail()
    assert stderr.last_words == ""
    stderr.feed(b"Traceback:\nValueError: no database\n\n  \n")
    assert stderr.last_words == "ValueError: no database"
    stderr.feed(b"w" * 500)
    assert stderr.last_words == "w" * 200


def test_without_a_listener_the_ring_is_kept_all_the_same() -> None:
    stderr = StderrTail(None, Clock())
    stderr.feed(b"one\n" * 1000)
    stderr.close()
    assert stderr.lines == ["one"] * RING_LINES


@settings(deadline=None)
@given(st.lists(st.binary(max_size=2000).map(lambda data: data * 20)))
def test_the_ring_is_bounded_whatever_comes(pieces: list[bytes]) -> None:
    stderr, _, _ = tail()
    for piece in pieces:
        stderr.feed(piece)
        assert len(stderr._ring) <= RING_LINES
        assert sum(map(len, stderr._ring)) == stderr._held <= RING_BYTES
