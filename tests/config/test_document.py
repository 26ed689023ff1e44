"""The configuration file as a whole."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden import compare

from onemcp.config.document import Document, load, read
from onemcp.config.keys import ENTRY, ENTRY_IGNORED, IGNORED, IGNORED_IN
from onemcp.config.setting import Kind
from onemcp.config.settings import FileValue, resolve
from onemcp.config.sources import MAX_BYTES
from onemcp.config.table import TABLE
from onemcp.core.spec import HttpTransport, StdioTransport
from onemcp.errors import ConfigError

GOLDEN: Final = Path(__file__).parent / "golden"
WORDS = st.sampled_from(
    [*ENTRY, *ENTRY_IGNORED, "x", "mcpServers", "servers", "serverDefaults", "port", "asyncLoading"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["stdio", "http://h/mcp", "~", "${A}", "${B}", "${", "2025-06-18", "A=B", ""])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, "mcp.json", {})
    return [str(problem) for problem in caught.value.problems]


def loaded(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return str(caught.value)


def test_servers_come_in_the_order_of_the_file() -> None:
    document = read('{"mcpServers": {"b": {"command": "b"}, "a": {"url": "http://h/mcp"}}}', "mcp.json", {})
    assert [spec.name for spec in document.specs] == ["b", "a"]
    assert document.specs[0].transport == StdioTransport(("b",))
    assert document.specs[1].transport == HttpTransport("http://h/mcp")
    assert document.settings == {}
    assert document.notices == ()


def test_the_sample_of_the_guide_is_taken() -> None:
    text = """{
      "mcpServers": {
        "database": {
          "command": ["mcp-postgres"],
          "env": {
            "DATABASE_URL": "${DATABASE_URL}", // from the environment
          }
        }
      }
    }"""
    (spec,) = read(text, "mcp.json", {"DATABASE_URL": "postgres://db"}).specs
    assert spec.transport == StdioTransport(("mcp-postgres",), (("DATABASE_URL", "postgres://db"),))


def test_vs_codes_spelling_of_the_servers_is_known() -> None:
    document = read('{"inputs": [], "servers": {"a": {"type": "http", "url": "http://h"}}}', "mcp.json", {})
    assert [spec.name for spec in document.specs] == ["a"]
    assert document.notices == ("mcp.json: ignored, since they have no meaning here: inputs",)


def test_settings_stand_beside_the_servers() -> None:
    text = '{"mcpServers": {},\n "port": 4000,\n "asyncLoading": {"enabled": true, "minServers": 2},\n "allowedHosts": ["a"]}'
    document = read(text, "mcp.json", {})
    assert document.settings == {
        "port": FileValue(4000, "mcp.json", 2, 10),
        "asyncLoading.enabled": FileValue(True, "mcp.json", 3, 30),
        "allowedHosts": FileValue(["a"], "mcp.json", 4, 18),
    }
    settings = resolve({}, {}, document.settings)
    assert (settings.port, settings.enable_async_loading, settings.allowed_hosts) == (4000, True, ("a",))
    assert settings.origins["enable_async_loading"] == "mcp.json:3"


def test_every_setting_that_has_a_key_can_stand_in_the_document() -> None:
    for setting in TABLE:
        text = "https://x" if setting.kind is Kind.URL else "x"
        value = setting.default or (text if isinstance(setting.default, str) else setting.default)
        nested: object = value
        for part in reversed(setting.key.split(".") if setting.key else []):
            nested = {part: nested}
        if isinstance(nested, dict):
            document = read(json.dumps({**nested, "mcpServers": {}}), "mcp.json", {})
            assert list(document.settings) == [setting.key]


def test_no_key_is_both_known_and_ignored() -> None:
    assert not ENTRY & ENTRY_IGNORED
    assert not IGNORED & {setting.key.partition(".")[0] for setting in TABLE}
    for head, names in IGNORED_IN.items():
        assert not names & {setting.key.removeprefix(f"{head}.") for setting in TABLE}


def test_keys_of_other_programs_are_told_of_once() -> None:
    text = json.dumps(
        {
            "$schema": "s",
            "mcpTemplates": {},
            "_remark": 1,
            "mcpServers": {
                "a": {"command": "a", "autoApprove": [], "oauth": {}},
                "b": {"command": "b", "autoApprove": [], "icon": "i", "// note": "n"},
            },
        }
    )
    names = "$schema, // note, _remark, autoApprove, icon, mcpTemplates, oauth"
    notice = f"mcp.json: ignored, since they have no meaning here: {names}"
    assert read(text, "mcp.json", {}).notices == (notice,)


def test_a_timeout_that_was_probably_meant_in_seconds_is_told() -> None:
    text = '{"mcpServers": {\n"a": {"command": "a", "timeout": 60}}}'
    assert read(text, "mcp.json", {}).notices == (
        "mcp.json:2: mcpServers.a.timeout: 60 ms is very short (times are in milliseconds)",
    )


def test_no_servers_are_told() -> None:
    assert read('{"mcpServers": {}}', "mcp.json", {}) == Document(
        notices=("mcp.json: no servers are configured",)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "mcp.json:1:1: expected an object, found an array"),
        ("{}", 'mcp.json:1:1: there is no mcpServers in it; it takes {"mcpServers": {...}}'),
        (
            '{"mcpServers": null}',
            'mcp.json:1:1: there is no mcpServers in it; it takes {"mcpServers": {...}}',
        ),
        ('{"mcpServers": []}', "mcp.json:1:16: mcpServers: expected an object, found an array"),
        ('{"mcpServers": {}', "mcp.json:1:18: the text ends inside the object that begins at 1:1"),
        (
            '{"mcpServers": {}, "serverDefaults": 1}',
            "mcp.json:1:38: serverDefaults: expected an object, found 1",
        ),
        (
            '{"mcpServers": {}, "logging": "info"}',
            "mcp.json:1:31: logging: expected an object, found a string",
        ),
    ],
)
def test_a_document_that_is_none_is_an_error(text: str, sentence: str) -> None:
    assert refused(text) == [sentence]


def test_all_that_is_wrong_with_a_document_is_told_at_once_with_its_place() -> None:
    text = (GOLDEN / "faulty_document.json").read_text(encoding="utf-8")
    compare(GOLDEN / "faulty_document.txt", "".join(f"{line}\n" for line in refused(text)))


def test_faulty_entries_say_why_and_leave_the_others_alone() -> None:
    text = (GOLDEN / "faulty_entries.json").read_text(encoding="utf-8")
    specs = read(text, "mcp.json", {}).specs
    assert [spec.name for spec in specs if spec.fault is None] == ["good"]
    compare(GOLDEN / "faulty_entries.txt", "".join(f"{spec.fault}\n" for spec in specs if spec.fault))


@given(VALUES)
def test_any_document_is_read_or_refused_with_places(value: object) -> None:
    text = json.dumps(
        {"mcpServers": {"a": value}, "serverDefaults": {}} if not isinstance(value, dict) else value
    )
    for attempt in (text, json.dumps({"mcpServers": {"a": value}}), json.dumps({"mcpServers": value})):
        try:
            document = read(attempt, "mcp.json", {"A": "a", "HOME": "/"})
        except ConfigError as error:
            assert all(problem.what and problem.line for problem in error.problems)
            continue
        for spec in document.specs:
            assert spec.disabled or (spec.transport is None) != (spec.fault is None)
            assert spec.fault is None or (spec.fault.what and spec.fault.fix and spec.fault.line)
        resolve({}, {}, document.settings)


def test_a_file_is_read_with_paths_from_its_own_folder(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b'\xef\xbb\xbf{"mcpServers": {"\xc3\xa9": {"command": "c", "cwd": "."}}}')
    (spec,) = load(path, {}).specs
    assert spec.name == "é"
    assert isinstance(spec.transport, StdioTransport)
    assert spec.transport.cwd == str(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    assert loaded(path) == f"{path}: there is no such file; name the configuration with --config"


def test_a_folder_without_a_configuration(tmp_path: Path) -> None:
    assert loaded(tmp_path) == f"{tmp_path}: there is no configuration in this folder; put an mcp.json in it"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.symlink_to(path)  # permissions do not stop root, a circle does
    assert loaded(path).startswith(f"{path}: the file cannot be read: ")
    assert "the file cannot be read" in loaded(Path("a\0b"))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    assert loaded(path) == f"{path}: the file is larger than 10 MiB; is this really the configuration?"


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes('{\n"é": "'.encode() + b"\xe9")
    assert loaded(path) == f"{path}:2:7: the file is not UTF-8 here; save it as UTF-8"
    path.write_text("{}", encoding="utf-16")
    assert loaded(path) == f"{path}: the file is UTF-16; save it as UTF-8"


def test_remarks_may_stand_among_servers_too() -> None:
    text = '{"mcpServers": {"//": "mine", "_note": ["x"], "_a": {"command": "a"}}}'
    assert [spec.name for spec in read(text, "mcp.json", {}).specs] == ["_a"]
