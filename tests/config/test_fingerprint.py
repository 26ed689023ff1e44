"""Telling whether the files of a configuration are others than before."""

import os
from pathlib import Path

import pytest

from onemcp.config.fingerprint import facts, fingerprint


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text("{}")
    return path


def both(path: Path, environment: str = "") -> tuple[object, str]:
    return facts(path), fingerprint(path, environment)


def test_what_nobody_touched_is_the_same(config: Path) -> None:
    assert both(config) == both(config)


def test_another_content_of_the_same_size_and_time_is_seen(config: Path) -> None:
    before, seen = both(config), config.stat()
    config.write_text("[]")
    os.utime(config, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    after = both(config)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_file_that_was_only_touched_has_other_facts_and_the_same_content(config: Path) -> None:
    before = both(config)
    os.utime(config, ns=(1, 1))
    after = both(config)
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_link_that_leads_elsewhere_is_a_change_also_behind_another_link(tmp_path: Path) -> None:
    for name, text in (("..1", "{}"), ("..2", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mcp.json").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "mcp.json").symlink_to("..data/mcp.json")
    before = both(tmp_path / "mcp.json")
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    after = both(tmp_path / "mcp.json")
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("name", [".env", "conf.d/10-web.json", "conf.d/20.yaml"])
def test_files_that_belong_to_it_are_looked_at(config: Path, name: str) -> None:
    before = both(config)
    (config.parent / name).parent.mkdir(exist_ok=True)
    (config.parent / name).write_text("A=1" if name == ".env" else "{}")
    after = both(config)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_the_overlay_of_an_environment_belongs_to_it_there_only(config: Path) -> None:
    (config.parent / "mcp.production.json").write_text("{}")
    here, there = fingerprint(config), fingerprint(config, "production")
    (config.parent / "mcp.production.json").write_text('{"strict": true}')
    assert fingerprint(config) == here
    assert fingerprint(config, "production") != there


def test_the_fragments_of_a_folder_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    before = both(tmp_path)
    (tmp_path / "b.toml").write_text("")
    after = both(tmp_path)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_file_that_is_gone_is_a_change_and_the_same_one_again_is_the_state_before(config: Path) -> None:
    before = fingerprint(config)
    config.rename(config.with_suffix(".away"))
    gone = both(config)
    config.with_suffix(".away").rename(config)
    assert gone[1] != before == fingerprint(config)
    assert gone[0] != facts(config)


def test_other_files_beside_it_do_not_make_it_another(config: Path) -> None:
    before = both(config)
    (config.parent / "mcp.json.bak").write_text("x")
    (config.parent / ".mcp.json.swp").write_text("x")
    assert both(config) == before


def test_a_configuration_without_a_usual_ending_is_looked_at_too(tmp_path: Path) -> None:
    path = tmp_path / "servers.conf"
    path.write_text("{}")
    before = both(path)
    path.write_text("[ ]")
    after = both(path)
    assert before[0] != after[0]
    assert before[1] != after[1]
