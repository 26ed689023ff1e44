import io

from onemcp.cli.outcome import CommandError, Exit, report
from onemcp.errors import ConfigError, OnemcpError, Problem, StartError


def said(error: OnemcpError) -> tuple[int, str]:
    out = io.StringIO()
    return report(error, out), out.getvalue()


def test_a_faulty_configuration_starts_each_line_with_its_place() -> None:
    error = ConfigError(
        Problem("unknown key", 'did you mean "command"?', "mcp.json", 4, 7, "mcpServers.x.comand"),
        Problem("the file is empty", file="mcp.json"),
    )
    code, text = said(error)
    assert code == Exit.CONFIG
    assert text.splitlines() == [
        "mcp.json:4:7: mcpServers.x.comand: unknown key",
        '      did you mean "command"?',
        "mcp.json: the file is empty",
    ]


def test_what_the_machine_refuses_is_one() -> None:
    assert said(StartError("port 1 is in use", "choose another")) == (
        Exit.FAILED,
        "1mcp: port 1 is in use\n      choose another\n",
    )


def test_a_command_chooses_its_code() -> None:
    assert said(CommandError("no", code=Exit.NO_GATEWAY)) == (Exit.NO_GATEWAY, "1mcp: no\n")


def test_any_other_error_is_one_sentence_too() -> None:
    assert said(OnemcpError("odd")) == (Exit.FAILED, "1mcp: odd\n")
