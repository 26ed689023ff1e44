import pytest

from onemcp.cli.duration import seconds, shown


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("2d", 172800)]
)
def test_a_length_of_time_is_understood(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "m", "ten", "-5m", "1w", "1e3", "nan", "1.2.3s", "0", "٣m", "0.9", "0.01m", "0.0000001"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        seconds(text)


@pytest.mark.parametrize(
    ("value", "text"), [(2, "2 s"), (59.9, "59.9 s"), (600, "10 min"), (5400, "1.5 h"), (172800, "2 d")]
)
def test_it_is_shown_in_its_largest_unit(value: float, text: str) -> None:
    assert shown(value) == text
