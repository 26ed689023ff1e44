"""Entries of `mcpServers`: what they mean, and what is wrong with them alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onemcp.config.document import read
from onemcp.core.spec import HttpTransport, RestartPolicy, StdioTransport, UpstreamSpec
from onemcp.errors import ConfigError

ENVIRON = {"HOME": "/home/ada", "TOKEN": "t0ken", "EMPTY": "", "YES": "yes", "NUL": "a"}
HTTP = {"url": "http://127.0.0.1:1/mcp"}


def spec(
    entry: object,
    *,
    defaults: object = None,
    file: str = "mcp.json",
    name: str = "x",
    environ: Mapping[str, str] = ENVIRON,
) -> UpstreamSpec:
    text = json.dumps({"serverDefaults": defaults, "mcpServers": {name: entry}})
    return read(text, file, environ).specs[0]


def stdio(entry: Mapping[str, Any], **more: Any) -> StdioTransport:
    found = spec({"command": "c", **entry}, **more)
    assert isinstance(found.transport, StdioTransport), found.fault
    return found.transport


def http(entry: Mapping[str, Any], **more: Any) -> HttpTransport:
    found = spec({**HTTP, **entry}, **more)
    assert isinstance(found.transport, HttpTransport), found.fault
    return found.transport


def fault(entry: object, **more: Any) -> str:
    found = spec(entry, **more)
    assert found.transport is None
    assert found.fault is not None
    assert found.fault.file == more.get("file", "mcp.json")
    assert (found.fault.line, found.fault.column > 1) == (1, True)
    assert found.fault.key.startswith("mcpServers.")
    assert found.fault.fix
    return f"{found.fault.key.removeprefix('mcpServers.')}: {found.fault.what}"


def refused(entry: object, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        spec(entry, **more)
    return [f"{problem.key}: {problem.what}" for problem in caught.value.problems]


def test_a_command_is_a_program_on_its_own_or_with_arguments_in_an_array() -> None:
    assert stdio({"command": "npx"}).argv == ("npx",)
    assert stdio({"command": "npx", "args": ["-y", "${TOKEN}"]}).argv == ("npx", "-y", "t0ken")
    assert stdio({"command": ["npx", "-y"], "args": ["x"]}).argv == ("npx", "-y", "x")


def test_what_is_not_said_is_the_default() -> None:
    assert spec({"command": "c"}) == UpstreamSpec("x", StdioTransport(("c",)))
    assert spec(HTTP) == UpstreamSpec("x", HttpTransport("http://127.0.0.1:1/mcp"))
    assert spec({"command": "c", "args": None, "env": None, "cwd": None, "disabled": None}).fault is None


def test_variables_are_an_object_or_an_array_and_sorted() -> None:
    assert stdio({"env": {"B": "<${TOKEN}>", "A": "=$A="}}).env == (("A", "=$A="), ("B", "<t0ken>"))
    assert stdio({"env": ["B=${TOKEN}=", "TOKEN", "MISSING"]}).env == (("B", "t0ken="), ("TOKEN", "t0ken"))


def test_a_working_directory_starts_at_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    file = str(tmp_path / "mcp.json")
    assert stdio({"cwd": "work"}, file=file).cwd == str(tmp_path / "work")
    assert stdio({"cwd": str(tmp_path)}).cwd == str(tmp_path)
    assert stdio({"cwd": "~"}, environ={"HOME": str(tmp_path)}).cwd == str(tmp_path)
    assert (
        fault({"command": "c", "cwd": "gone"}, file=file) == f"x.cwd: there is no folder {tmp_path / 'gone'}"
    )


def test_a_tilde_expands_in_the_command_but_not_in_its_arguments_or_in_a_value() -> None:
    assert stdio({"command": "~/bin/x", "args": ["~/a"]}).argv == ("/home/ada/bin/x", "~/a")
    assert stdio({"command": "${T}"}, environ={"T": "~/x", "HOME": "/h"}).argv == ("~/x",)


@pytest.mark.parametrize(
    "word", ["http", "streamableHttp", "streamable-http", "streamable_http", "STREAMABLEHTTP"]
)
@pytest.mark.parametrize("key", ["type", "transport"])
def test_every_spelling_of_streamable_http_is_known(key: str, word: str) -> None:
    assert http({key: word, "url": "https://h/sse"}).kind == "http"


def test_the_type_follows_from_command_or_url() -> None:
    assert http({"url": "https://h/sse/?x=1"}).kind == "sse"
    assert http({"url": "https://h/sse/mcp"}).kind == "http"
    assert http({"url": "https://h/events", "type": "sse"}).kind == "sse"
    assert stdio({"type": "stdio"}).argv == ("c",)


@pytest.mark.parametrize("key", ["url", "serverUrl", "httpUrl"])
def test_other_clients_words_for_the_url_are_known(key: str) -> None:
    found = spec({key: "https://h/${TOKEN}"})
    assert found.transport == HttpTransport("https://h/t0ken")


def test_headers_are_resolved_and_sorted() -> None:
    headers = {"X-B": " v ", "Authorization": "Bearer ${TOKEN}"}
    assert http({"headers": headers}).headers == (("Authorization", "Bearer t0ken"), ("X-B", "v"))


def test_tags_tools_and_protocol_are_taken_over() -> None:
    found = spec(
        {
            **HTTP,
            "tags": ["web", "b"],
            "disabledTools": ["t"],
            "excludeTools": ["u"],
            "protocol": "2025-06-18",
        }
    )
    assert found.tags == {"web", "b"}
    assert found.disabled_tools == {"t", "u"}
    assert found.protocol == "2025-06-18"


def test_specific_timeouts_beat_the_general_one_and_all_are_in_milliseconds() -> None:
    assert spec({**HTTP, "timeout": 5000}).request_timeout == 5
    assert spec({**HTTP, "timeout": 5000}).connection_timeout == 5
    found = spec({**HTTP, "timeout": 5000, "requestTimeout": 1500, "connectionTimeout": 2000})
    assert (found.request_timeout, found.connection_timeout) == (1.5, 2)


def test_restarts_are_on_unless_switched_off() -> None:
    assert spec(HTTP).restart == RestartPolicy()
    assert spec({**HTTP, "restartOnExit": False}).restart.enabled is False
    found = spec({**HTTP, "restartOnExit": True, "maxRestarts": 5, "restartDelay": 90_000}).restart
    assert found == RestartPolicy(first_delay=90, max_delay=90, max_restarts=5)


@pytest.mark.parametrize(
    "switch",
    [
        {"disabled": True},
        {"disabled": "true"},
        {"disabled": "Yes"},
        {"disabled": 1},
        {"disabled": "${YES}"},
        {"enabled": False},
        {"isActive": False},
    ],
)
def test_an_entry_can_be_switched_off(switch: dict[str, object]) -> None:
    assert spec({**HTTP, **switch}).disabled


@pytest.mark.parametrize(
    "switch", [{"disabled": False}, {"disabled": "no"}, {"disabled": 0}, {"disabled": ""}, {"enabled": True}]
)
def test_an_entry_can_be_left_on(switch: dict[str, object]) -> None:
    assert not spec({**HTTP, **switch}).disabled


def test_an_entry_that_is_switched_off_has_no_fault() -> None:
    found = spec({"disabled": True, "url": "${NONE}"})
    assert (found.disabled, found.transport, found.fault) == (True, None, None)


@pytest.mark.parametrize("name", ["git", "my server", "a.b", "@scope:x", "日本", "a_1mcp", "?#%", "..."])
def test_names_that_are_seen_in_the_wild_are_good(name: str) -> None:
    assert spec(HTTP, name=name).fault is None
    assert spec(HTTP, name=name).name == name


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "a/b", "a\\b", " a", "a\t", "a\nb", "\x7f", "a_1mcp_b", "a\u202eb"]
)
def test_names_that_cannot_stand_in_a_path_or_before_a_separator_are_faults(name: str) -> None:
    found = spec(HTTP, name=name)
    assert found.transport is None
    assert found.fault is not None
    assert found.fault.fix
    assert "\n" not in str(found.fault)


def test_the_separator_that_names_must_not_have_is_the_one_in_use() -> None:
    text = json.dumps({"mcpServers": {"a.b": HTTP, "a_1mcp_b": HTTP}})
    dotted, other = read(text, "mcp.json", {}, separator=".").specs
    assert dotted.fault is not None
    assert other.fault is None
    text = json.dumps(
        {"names": {"separator": "."}, "mcpServers": {"a.b": HTTP, "a_1mcp_b": HTTP, "a__b": HTTP}}
    )
    assert [found.fault is None for found in read(text, "mcp.json", {}).specs] == [False, True, True]
    assert [found.fault is None for found in read(text, "mcp.json", {}, "__").specs] == [True, True, False]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "x: neither command nor url"),
        ({"args": ["a"]}, "x: neither command nor url"),
        ({"command": "c", **HTTP}, "x.url: the entry has both a command and a url"),
        ({"command": ""}, "x.command: the command is empty"),
        ({"command": " "}, "x.command: the command is empty"),
        ({"command": []}, "x.command: the command is empty"),
        ({"command": [], "args": ["a"]}, "x.command: the command is empty"),
        ({"command": ["", "a"]}, "x.command: the command is empty"),
        ({"command": "${EMPTY}"}, "x.command: the command is empty"),
        ({"command": "c\0"}, "x.command: a NUL character cannot be handed to a process"),
        ({"command": "c", "type": "http"}, "x.type: a command is not reached over HTTP"),
        ({**HTTP, "type": "stdio"}, "x.type: stdio needs a command, and there is a url"),
        ({**HTTP, "type": "ws"}, "x.type: no such type of server"),
        (
            {**HTTP, "type": "sse", "transport": "http"},
            "x.transport: type and transport say different things",
        ),
        ({**HTTP, "httpUrl": "http://h"}, "x.httpUrl: the entry has more than one url"),
        ({"command": "c", "args": ["a", "${NONE}"]}, "x.args[1]: the variable NONE is not set"),
        ({"command": "c", "env": {"A": "${NONE}"}}, "x.env.A: the variable NONE is not set"),
        ({"command": "c", "env": ["A=${NONE}"]}, "x.env[0]: the variable NONE is not set"),
        ({"command": "c", "env": {"A": "\0"}}, "x.env.A: a NUL character cannot be handed to a process"),
        ({"command": "c", "env": {"A=B": "c"}}, "x.env.A=B: 'A=B' is no name of a variable"),
        ({"command": "c", "env": ["=b"]}, "x.env[0]: '' is no name of a variable"),
        (
            {"command": "c", "cwd": "${SECRET:x}"},
            "x.cwd: ${SECRET:x}: secrets cannot be used here",
        ),
        ({"url": ""}, "x.url:  is no usable url: it begins with neither http:// nor https://"),
        (
            {"url": "h:80/mcp"},
            "x.url: h:80/mcp is no usable url: it begins with neither http:// nor https://",
        ),
        ({"url": "ftp://h"}, "x.url: ftp://h is no usable url: it begins with neither http:// nor https://"),
        ({"url": "http:///mcp"}, "x.url: http:///mcp is no usable url: it names no host"),
        ({"url": "http://h:0/"}, "x.url: http://h:0/ is no usable url: port 0 cannot be reached"),
        (
            {"url": "http://a..b/mcp"},
            "x.url: http://a..b/mcp is no usable url: its host is no name; no part of it may be empty or too long",
        ),
        (
            {"url": "http://h/a b"},
            "x.url: http://h/a b is no usable url: it has characters that must be percent-encoded",
        ),
        (
            {"url": "http://h/é"},
            "x.url: http://h/é is no usable url: it has characters that must be percent-encoded",
        ),
        (
            {**HTTP, "headers": {"A": "a\r\nB: b"}},
            "x.headers.A: the header has characters that cannot be sent",
        ),
        ({**HTTP, "headers": {"A": "é"}}, "x.headers.A: the header has characters that cannot be sent"),
        ({**HTTP, "headers": {"A B": "b"}}, "x.headers.A B: 'A B' is no name of a header"),
        ({**HTTP, "headers": {"A": "b", "a": "c"}}, "x: a header is given twice, in different spellings"),
        ({**HTTP, "protocol": "2025-01-01"}, "x.protocol: 2025-01-01 is no known revision of MCP"),
        ({**HTTP, "disabled": "maybe"}, "x.disabled: maybe is neither true nor false"),
    ],
)
def test_an_entry_that_cannot_be_used_has_a_fault(entry: dict[str, object], sentence: str) -> None:
    assert fault(entry) == sentence


@pytest.mark.parametrize("url", ["http://h:99999/", "http://[::1/", "http://h:x/", "http://[x]/"])
def test_a_url_that_cannot_be_parsed_is_a_fault(url: str) -> None:
    assert fault({"url": url}).startswith(f"x.url: {url} is no usable url: ")


def test_a_fault_never_shows_what_a_variable_holds() -> None:
    for entry in (
        {"url": "h/${TOKEN}"},
        {**HTTP, "headers": {"A": "\n${TOKEN}"}},
        {**HTTP, "protocol": "${TOKEN}"},
    ):
        assert "t0ken" not in fault(entry)


@pytest.mark.parametrize(
    ("entry", "sentences"),
    [
        ([], ["mcpServers.x: expected an object, found an array"]),
        (None, ["mcpServers.x: expected an object, found null"]),
        ({"command": 1}, ["mcpServers.x.command: expected a string, found 1"]),
        ({"command": ["c", None]}, ["mcpServers.x.command[1]: expected a string, found null"]),
        ({"command": "c", "args": "a"}, ["mcpServers.x.args: expected an array of strings, found a string"]),
        (
            {"command": "c", "env": {"A": True}},
            ["mcpServers.x.env.A: expected a string, found true"],
        ),
        ({"command": "c", "env": {"A": None}}, ["mcpServers.x.env.A: expected a string, found null"]),
        ({"command": "c", "env": [1]}, ["mcpServers.x.env[0]: expected a string, found 1"]),
        (
            {**HTTP, "timeout": "5s"},
            ["mcpServers.x.timeout: expected a number of milliseconds from 1, found a string"],
        ),
        ({**HTTP, "timeout": 0}, ["mcpServers.x.timeout: expected a number of milliseconds from 1, found 0"]),
        (
            {**HTTP, "maxRestarts": 1.5},
            ["mcpServers.x.maxRestarts: expected a whole number (0 for no end), found 1.5"],
        ),
        ({**HTTP, "disabled": []}, ["mcpServers.x.disabled: expected true or false, found an array"]),
        (
            {**HTTP, "tags": [1], "headers": []},
            [
                "mcpServers.x.tags[0]: expected a string, found 1",
                "mcpServers.x.headers: expected an object, found an array",
            ],
        ),
        ({**HTTP, "hedaers": {}}, ["mcpServers.x.hedaers: unknown key"]),
    ],
)
def test_wrong_types_and_unknown_keys_are_errors_of_the_document(entry: object, sentences: list[str]) -> None:
    assert refused(entry) == sentences


def test_defaults_count_where_an_entry_says_nothing() -> None:
    defaults = {"timeout": 9000, "connectionTimeout": 8000, "restartOnExit": False, "maxRestarts": 2}
    found = spec({**HTTP, "requestTimeout": 7000}, defaults=defaults)
    assert (found.request_timeout, found.connection_timeout) == (7, 8)
    assert found.restart == RestartPolicy(enabled=False, max_restarts=2)
    assert spec({**HTTP, "timeout": 1000}, defaults=defaults).connection_timeout == 1
    assert (
        spec({**HTTP, "maxRestarts": 0, "restartOnExit": True}, defaults=defaults).restart == RestartPolicy()
    )


def test_variables_and_filters_add_up_and_headers_do_not() -> None:
    defaults = {
        "env": {"A": "1", "B": "2"},
        "envFilter": ["X*", "Y"],
        "inheritParentEnv": True,
        "headers": {"A": "1", "B": "2"},
    }
    found = stdio({"env": ["B=3", "C=4"], "envFilter": ["Y", "!Z"]}, defaults=defaults)
    assert found.env == (("A", "1"), ("B", "3"), ("C", "4"))
    assert found.env_filter == ("X*", "Y", "!Z")
    assert found.inherit_env is True
    assert stdio({"inheritParentEnv": False}, defaults=defaults).inherit_env is False
    assert http({"headers": {"A": "9"}}, defaults=defaults).headers == (("A", "9"),)
    assert http({}, defaults=defaults).headers == (("A", "1"), ("B", "2"))


def test_what_is_wrong_in_the_defaults_is_told_once() -> None:
    text = json.dumps({"serverDefaults": {"timeout": "x", "comand": 1}, "mcpServers": {"a": HTTP, "b": HTTP}})
    with pytest.raises(ConfigError) as caught:
        read(text, "mcp.json", {})
    assert [problem.key for problem in caught.value.problems] == [
        "serverDefaults.timeout",
        "serverDefaults.comand",
    ]


def test_a_server_is_required_if_its_entry_says_so() -> None:
    assert not spec(HTTP).required
    assert spec({**HTTP, "required": True}).required
    assert refused({**HTTP, "required": "yes"}) == [
        "mcpServers.x.required: expected true or false, found a string"
    ]


def test_the_variables_that_an_entry_refers_to_are_known_and_not_shown() -> None:
    found = spec({"command": "c", "args": ["-t", "${TOKEN}", "${MISSING:-x}"], "env": ["YES"]})
    assert found.referred == (("TOKEN", "t0ken"), ("YES", "yes"))
    assert "referred" not in repr(found)
    assert (
        spec({**HTTP, "url": "http://127.0.0.1:1/${TOKEN}", "headers": {"A": "${YES}"}}).referred
        == found.referred
    )


def test_they_are_known_of_an_entry_with_a_fault_as_well() -> None:
    assert spec({"command": "c", "args": ["${TOKEN}", "${MISSING}"]}).referred == (("TOKEN", "t0ken"),)


def test_a_path_that_is_no_text_is_told_with_question_marks(tmp_path: Path) -> None:
    text = json.dumps({"mcpServers": {"x": {"command": "c", "cwd": "none"}}})
    (found,) = read(text, "mcp.json", {}, folder=tmp_path / "\udcff").specs
    assert found.fault is not None
    assert found.fault.what == f"there is no folder {tmp_path}/?/none"
