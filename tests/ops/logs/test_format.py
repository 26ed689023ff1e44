import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.core.spec import StdioTransport, UpstreamSpec
from onemcp.ops.logs.entry import Entry, Fault
from onemcp.ops.logs.format import as_json, as_text, seconds_of, text
from onemcp.upstream.secrecy import learn

TIME = 1_795_526_388.125


def entry(message: str = "all is well", **more: object) -> Entry:
    values = {"time": TIME, "level": "info", "logger": "onemcp", "server": "", "facts": {}, "fault": None}
    return Entry(**{**values, "message": message, **more})  # type: ignore[arg-type]  # a table of defaults


def test_json_has_the_documented_names_in_their_order() -> None:
    line = as_json(
        entry(
            level="warn",
            server="alpha",
            facts={"request_id": "r1", "session": "s", "principal": "ada", "error_code": -32001},
        )
    )
    assert list(json.loads(line).items()) == [
        ("timestamp", "2026-11-24T13:19:48.125Z"),
        ("level", "warn"),
        ("logger", "onemcp"),
        ("message", "all is well"),
        ("server", "alpha"),
        ("request_id", "r1"),
        ("session", "s"),
        ("principal", "ada"),
        ("error", {"code": -32001}),
    ]


def test_an_exception_is_an_object_of_its_own() -> None:
    line = json.loads(as_json(entry(fault=Fault("ValueError", "no", "Traceback\n  x"))))
    assert line["error"] == {"type": "ValueError", "message": "no", "stack": "Traceback\n  x"}


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_one_line_of_json_in_utf_8(message: str) -> None:
    line = as_json(entry(message, server=message[:20], facts={"principal": message[:20]}))
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert b"\r" not in line
    assert isinstance(json.loads(line.decode("utf-8"))["message"], str)


@given(st.text(st.characters(), max_size=300))
def test_no_text_can_forge_a_line_or_steer_a_terminal(message: str) -> None:
    first, *rest = as_text(entry(message)).decode().removesuffix("\n").split("\n")
    assert all(line.startswith("    ") for line in rest)
    assert not {"\x1b", "\r", "\x07", "\x9b"} & set(first + "".join(rest))


SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
TURNING = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\U000e0041"


@pytest.mark.parametrize("char", SEPARATORS + TURNING + UNSEEN)
def test_what_is_not_seen_and_changes_what_is_seen_is_written_out(char: str) -> None:
    made = entry(f"paid {char}001", server="alpha", facts={"principal": f"ada{char}"})
    shown, encoded = as_text(made).decode(), as_json(made).decode()
    assert char not in shown + encoded
    assert len(shown.splitlines()) == len(encoded.splitlines()) == 1
    code = f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
    assert (code if ord(char) < 0x10000 else f"\\U{ord(char):08x}") in shown
    assert json.loads(encoded)["message"] == f"paid {char}001"


def test_every_such_character_is_written_out_and_no_other() -> None:
    hidden = {"Cc", "Cf", "Zl", "Zp"}
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    changed = {char for char in every if unicodedata.category(char) in hidden and char not in "\n\t"}
    shown = as_text(entry("".join(every))).decode()
    assert not changed & set(shown)
    assert set(every) - changed - {"\n"} <= set(shown)


@pytest.mark.parametrize("text", ["\u00a0\u3000 blanks", "中文 עברית العربية", "é e\u0301 \U0001f600"])
def test_other_writing_stays_as_it_is(text: str) -> None:
    assert text in as_text(entry(text)).decode()
    assert text in as_json(entry(text)).decode()


def test_bytes_that_are_no_text_fail_no_line() -> None:
    made = entry(
        "/srv/\udcff", server="a\udcff", facts={"method": "\ud800"}, fault=Fault("E", "\udfff", "\udfff")
    )
    assert json.loads(as_json(made))["message"] == "/srv/?"
    assert as_text(made).decode()


def test_what_is_secret_of_a_server_is_hidden_in_the_lines_about_it() -> None:
    learn(UpstreamSpec("format-test", StdioTransport(("x",), (("MODE", "innocent-looking"),))), {})
    fault = Fault("E", "innocent-looking", "E: innocent-looking")
    about, other = (entry("innocent-looking", server=name, fault=fault) for name in ("format-test", "other"))
    for form in (as_json, as_text):
        assert b"innocent" not in form(about)
        assert b"innocent" in form(other)


def test_text_says_whose_line_it_is() -> None:
    made = as_text(entry(server="alpha", facts={"request_id": "r1", "session": "0123456789abcdef"})).decode()
    assert made.endswith("INFO    alpha: all is well request_id=r1 session=01234567\n")


def test_a_traceback_is_indented_below_its_line() -> None:
    made = as_text(entry(fault=Fault("ValueError", "no", "Traceback:\nValueError: no\n"))).decode()
    assert made.splitlines()[1:] == ["    Traceback:", "    ValueError: no"]


@pytest.mark.parametrize("form", [as_json, as_text])
def test_credentials_are_in_neither(form: object) -> None:
    secrets = ["hunter2hunter2", "sk-abcdefgh12345678", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg"]
    message = f"password={secrets[0]} Authorization: Bearer {secrets[2]} and {secrets[1]}"
    line = form(entry(message, fault=Fault("E", message, message)))  # type: ignore[operator]  # one of the two
    assert not [secret for secret in secrets if secret.encode() in line]


def test_what_is_json_can_be_made_text_again() -> None:
    made = entry(server="alpha", level="error", facts={"request_id": "r1"})
    line = json.loads(as_json(made))
    assert text(line, seconds_of(line["timestamp"])) + "\n" == as_text(made).decode()


@pytest.mark.parametrize("run", ["x", "eyJ-", "token ", 'token="', "sk-", "password", "a1/"])
def test_a_long_run_costs_no_more_than_its_length(run: str) -> None:
    """If a pattern began anew at each character this would take minutes, with the interpreter's lock held."""
    assert as_json(entry(run * (300_000 // len(run))))
