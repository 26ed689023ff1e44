"""Where servers stand among the files of a configuration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onemcp.config.edit.layout import Aim, Layout

A: dict[str, Any] = {"command": "a"}


def layout(folder: Path, files: Mapping[str, Any], path: str = "mcp.json", environment: str = "") -> Layout:
    for name, value in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    return Layout.read(Aim(folder / path, {}, environment))


def test_an_entry_stands_in_every_file_that_has_it(tmp_path: Path) -> None:
    files = {
        "mcp.json": {"mcpServers": {"a": A, "b": A}},
        "conf.d/1.json": {"mcpServers": {"c": A}},
        "mcp.production.json": {"mcpServers": {"a": {"tags": ["x"]}, "b": None}},
    }
    found = layout(tmp_path, files, environment="production")
    assert [place.file.name for place in found.places("a")] == ["mcp.json", "mcp.production.json"]
    assert [str(place) for place in found.places("b")] == [f"{tmp_path / 'mcp.json'}:1"]
    assert [place.keys for place in found.places("c")] == [("mcpServers", "c")]
    assert found.places("d") == ()
    assert [place.file.name for place in layout(tmp_path, {}).places("a")] == ["mcp.json"]


def test_a_file_is_read_once_however_many_servers_are_looked_for(tmp_path: Path) -> None:
    found = layout(tmp_path, {"mcp.json": {"mcpServers": {"a": A, "b": A}}})
    assert found.places("a")[0].member is found.places("a")[0].member
    changed = found.with_text(tmp_path / "mcp.json", json.dumps({"mcpServers": {"b": A}}))
    assert changed.places("a") == ()


def test_servers_stand_under_the_key_that_the_files_have(tmp_path: Path) -> None:
    assert layout(tmp_path, {}).servers == "mcpServers"
    assert layout(tmp_path, {"mcp.json": {"servers": {}}}).servers == "servers"
    assert layout(tmp_path, {"mcp.json": {}, "conf.d/1.json": {"servers": {}}}).servers == "servers"


def test_a_new_file_counts_where_its_name_puts_it(tmp_path: Path) -> None:
    files = {
        "mcp.json": {"mcpServers": {}},
        "conf.d/10.json": {"mcpServers": {"a": A}},
        "conf.d/30.json": {"mcpServers": {"b": A}},
        "mcp.production.json": {},
    }
    found = layout(tmp_path, files, environment="production")
    more = found.with_text(tmp_path / "conf.d" / "20.json", json.dumps({"mcpServers": {"c": A}}))
    (tmp_path / "conf.d" / "20.json").write_text("{}")
    assert [source.file for source in more.sources] == [
        source.file for source in Layout.read(found.aim).sources
    ]
    assert [spec.name for spec in more.judged().document.specs] == ["a", "c", "b"]


def test_a_new_file_of_a_folder_counts_where_its_name_puts_it(tmp_path: Path) -> None:
    found = layout(tmp_path, {"c/10.json": {"mcpServers": {"a": A}}, "c/30.json": {}}, path="c")
    for name in ("05.json", "20.json", "40.json"):
        more = found.with_text(tmp_path / "c" / name, "{}")
        names = [Path(source.file).name for source in more.sources]
        assert names == sorted(names)


def test_an_entry_that_stands_nowhere_is_judged_in_the_place_of_what_is_there(tmp_path: Path) -> None:
    found = layout(tmp_path, {"mcp.json": {"templates": {"t": A}, "mcpServers": {"a": {"url": "http://x"}}}})
    judged = found.with_entries({"a": {"extend": "t"}}).judged()
    assert judged.faults == {}
    assert [spec.name for spec in judged.document.specs] == ["a"]
    nowhere = Layout.read(Aim(tmp_path / "none.json", {}))
    assert nowhere.judged().document.specs == ()
    assert [spec.name for spec in nowhere.with_entries({"a": A}).judged().document.specs] == ["a"]
