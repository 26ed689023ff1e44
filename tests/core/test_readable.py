import os

from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.readable import readable


@given(st.text())
def test_what_is_text_stays(text: str) -> None:
    assert readable(text) == text


@given(st.binary())
def test_any_name_of_the_system_can_be_told(name: bytes) -> None:
    readable(os.fsdecode(name)).encode()


def test_each_byte_that_is_none_is_a_question_mark() -> None:
    assert readable(os.fsdecode(b"/srv/\xff\xfe.json")) == "/srv/??.json"
