import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.cli.text import one_line, plain, state_style, table, width


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_lines_end_without_blanks() -> None:
    rows = [("name", "state", "tools"), ("a", "ready", "12"), ("longer", "x", "3"), ("b", "", "")]
    assert table(rows).splitlines() == [
        "name    state  tools",
        "a       ready     12",
        "longer  x          3",
        "b",
    ]


def test_a_wide_character_takes_two_columns() -> None:
    assert width("時計") == 4
    assert table([("時計", "x"), ("abcd", "y")]) == "時計  x\nabcd  y"


def test_styles_colour_a_cell_after_it_has_its_width() -> None:
    style = state_style(Terminal(), {})
    lines = table([("a", "ready", "x"), ("b", "failed", "y")], styles={1: style}).splitlines()
    assert lines == ["a  \x1b[32mready \x1b[0m  x", "b  \x1b[31mfailed\x1b[0m  y"]


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_nobody_wants_them(environ: dict[str, str]) -> None:
    assert state_style(Terminal(), environ)("ready") == "ready"


def test_no_colours_without_a_terminal() -> None:
    assert state_style(io.StringIO(), {})("ready") == "ready"


def test_what_a_server_wrote_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\r\nc\td\x9b") == "a�[2Jb\nc\td�"
    assert plain("safe \u202eesrever") == "safe �esrever"


def test_one_line_is_the_first_that_says_something() -> None:
    assert one_line("\n\n  Get   the\ttime. \nMore.") == "Get the time."
    assert one_line("Get the current time", 12) == "Get the c..."
    assert one_line("") == ""


@given(st.text(st.characters(exclude_categories=())))
def test_plain_text_has_no_control_characters_and_can_be_encoded(text: str) -> None:
    safe = plain(text)
    safe.encode()
    assert all(char.isprintable() or char in "\n\t" or not char.isascii() for char in safe)
    assert plain(safe) == safe


@given(st.text(), st.integers(4, 40))
def test_a_line_keeps_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert width(line) <= limit
    assert "\n" not in line


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(st.text("ab時 1"), min_size=n, max_size=n), min_size=1)
    )
)
def test_a_table_has_a_line_for_every_row(rows: list[list[str]]) -> None:
    assert len(table(rows).split("\n")) == len(rows)
