import pytest

from onemcp.cli.arguments import Parser
from onemcp.cli.outcome import CommandError, Exit


def parser() -> Parser:
    made = Parser("demo", "A demonstration.")
    made.add_argument("--port", type=int)
    made.add_argument("--transport", choices=["http", "stdio"])
    made.add_argument("--json", action="store_true")
    return made


@pytest.mark.parametrize(
    ("argv", "what", "fix"),
    [
        (["--prot", "1"], "unknown option --prot", "did you mean --port?"),
        (["--prot=1"], "unknown option --prot", "did you mean --port?"),
        (["--zzzzzz"], "unknown option --zzzzzz", "see 1mcp demo --help"),
        (["-x"], "unknown option -x", "see 1mcp demo --help"),
        (["stray"], "unexpected argument stray", "see 1mcp demo --help"),
        (["--port"], "--port needs a value", "see 1mcp demo --help"),
        (["--port", "x"], "--port: invalid int value: 'x'", "see 1mcp demo --help"),
    ],
)
def test_a_mistake_has_one_sentence_and_the_nearest_right_word(argv: list[str], what: str, fix: str) -> None:
    with pytest.raises(CommandError) as caught:
        parser().parse(argv)
    assert (caught.value.what, caught.value.fix, caught.value.code) == (what, fix, Exit.USAGE)


def test_an_abbreviation_is_not_guessed_at() -> None:
    with pytest.raises(CommandError):
        parser().parse(["--js"])


def test_what_is_right_is_parsed() -> None:
    args = parser().parse(["--port=1", "--json", "--transport", "stdio"])
    assert (args.port, args.json, args.transport) == (1, True, "stdio")
