"""A change is made whole, to what is there now, and into nothing that is faulty."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from onemcp.config.edit.change import Done, Edit, change
from onemcp.config.edit.layout import Aim, Layout
from onemcp.config.edit.members import with_member
from onemcp.errors import ConfigError, StoreError

TEXT = '{ "mcpServers": { "a": { "command": "a" } } } // é\r\n'


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(each.name for each in folder.iterdir())


def aim(folder: Path, text: str | None = TEXT) -> Aim:
    if text is not None:
        (folder / "mcp.json").write_bytes(text.encode())
    return Aim(folder / "mcp.json", {})


def adding(name: str, entry: object) -> Callable[[Layout], Edit]:
    def make(layout: Layout) -> Edit:
        file = layout.aim.path
        return Edit(file, with_member(layout.text(file) or "{}\n", ("mcpServers", name), entry), (name,))

    return make


def test_the_text_before_is_kept_once(tmp_path: Path) -> None:
    where = aim(tmp_path)
    first = change(where, adding("b", {"command": "b"}))
    between = where.path.read_bytes()
    second = change(where, adding("c", {"command": "c"}))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert second.backup == tmp_path / "mcp.json.bak"
    assert second.backup.read_bytes() == between
    assert where.path.read_bytes().decode() == TEXT.replace(
        '"a" } }', '"a" }, "b": {"command": "b"}, "c": {"command": "c"} }'
    )
    assert names(tmp_path) == ["mcp.json", "mcp.json.bak"]


def test_a_new_file_is_its_owners_alone_and_has_no_text_before(tmp_path: Path) -> None:
    where = aim(tmp_path, None)
    done = change(where, adding("b", {"command": "b"}))
    assert done is not None
    assert done.backup is None
    assert stat.S_IMODE(where.path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["mcp.json"]


def test_what_a_writer_that_was_killed_left_is_removed_wherever_it_stands(tmp_path: Path) -> None:
    where = aim(tmp_path)
    folder = tmp_path / "conf.d"
    folder.mkdir()
    fragment = folder / "f.json"
    fragment.write_text("{}")
    for left in (".f.json.999999.tmp", ".f.json.bak.999999.tmp"):
        (folder / left).write_text("canary")

    def make(layout: Layout) -> Edit:
        return Edit(fragment, '{"mcpServers": {"f": {"command": "f"}}}', ("f",))

    assert change(where, make) is not None
    assert names(folder) == ["f.json", "f.json.bak"]


def test_no_change_touches_nothing(tmp_path: Path) -> None:
    where = aim(tmp_path)
    before = where.path.stat()
    assert change(where, lambda _: None) is None
    assert change(where, lambda layout: Edit(layout.aim.path, TEXT)) is None
    after = where.path.stat()  # when it was read last is no change
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert names(tmp_path) == ["mcp.json"]


def test_a_link_stays_one_and_what_it_leads_to_is_changed(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.mkdir()
    (kept / "servers.json").write_text(TEXT)
    (kept / "servers.json").chmod(0o644)
    (tmp_path / "mcp.json").symlink_to("dotfiles/servers.json")
    done = change(aim(tmp_path, None), adding("b", {"command": "b"}))
    assert done is not None
    assert done.backup == kept / "servers.json.bak"
    assert (tmp_path / "mcp.json").is_symlink()
    assert '"b"' in (kept / "servers.json").read_text()
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept.iterdir()} == {0o644}


def test_what_somebody_else_writes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    where = aim(tmp_path)
    asked: list[str] = []

    def make(layout: Layout) -> Edit:
        edit = adding("b", {"command": "b"})(layout)
        asked.append(layout.text(where.path) or "")
        if len(asked) == 1:
            where.path.write_text(TEXT.replace('"a":', '"mine":'))
        return edit

    assert change(where, make) is not None
    assert len(asked) == 2
    assert set(Layout.read(where).judged().document.specs[0].name) | {"b"} == {*"mine", "b"}
    assert [spec.name for spec in Layout.read(where).judged().document.specs] == ["mine", "b"]


def test_who_writes_all_the_time_wins(tmp_path: Path) -> None:
    where = aim(tmp_path)
    count = 0

    def make(layout: Layout) -> Edit:
        nonlocal count
        count += 1
        where.path.write_text(f'{{"mcpServers": {{}}, "port": {4000 + count}}}')
        return adding("b", {"command": "b"})(layout)

    with pytest.raises(StoreError, match="is changed all the time by somebody else; nothing was changed"):
        change(where, make)
    assert where.path.read_text() == f'{{"mcpServers": {{}}, "port": {4000 + count}}}'
    assert names(tmp_path) == ["mcp.json"]


def test_a_file_that_somebody_else_makes_meanwhile_is_not_lost(tmp_path: Path) -> None:
    where = aim(tmp_path, None)

    def make(layout: Layout) -> Edit:
        edit = adding("b", {"command": "b"})(layout)
        if not layout.sources:
            where.path.write_text(TEXT)
        return edit

    assert change(where, make) is not None
    assert [spec.name for spec in Layout.read(where).judged().document.specs] == ["a", "b"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"comand": "b"}, "mcpServers.b.comand: unknown key; did you mean command?"),
        ({"command": "b", "url": "http://x"}, "the entry has both a command and a url"),
        ({"command": 7}, "mcpServers.b.command: expected a string, found 7"),
        ({"extend": "t"}, "there is no template t"),
        ({"command": "\ud800"}, "half of a surrogate pair"),
    ],
)
def test_a_faulty_result_is_refused_and_nothing_is_written(
    entry: dict[str, object], problem: str, tmp_path: Path
) -> None:
    where = aim(tmp_path)
    with pytest.raises(ConfigError) as caught:
        change(where, adding("b", entry))
    first, *others = caught.value.problems
    assert first.what == "the configuration would be faulty; nothing was changed"
    assert problem in "\n".join(map(str, others))
    assert where.path.read_bytes() == TEXT.encode()
    assert names(tmp_path) == ["mcp.json"]


@pytest.mark.parametrize("value", ["${NOWHERE}", "${SECRET:none}", "x${SECRET:vault:a#b}"])
def test_what_cannot_be_resolved_here_is_no_reason_against_it(value: str, tmp_path: Path) -> None:
    done = change(aim(tmp_path), adding("b", {"command": "b", "env": {"A": value}}))
    assert done is not None
    assert ("b" in done.after.judged().faults) == ("NOWHERE" in value)


def test_what_was_faulty_before_is_told_first(tmp_path: Path) -> None:
    where = aim(tmp_path, '{"mcpServers": {"a": {"comand": "a"}}}')
    with pytest.raises(ConfigError) as caught:
        change(where, adding("b", {"command": "b"}))
    first, other = caught.value.problems
    assert first.what == "the configuration is faulty already; nothing was changed"
    assert other.key == "mcpServers.a.comand"


def test_a_server_that_is_faulty_already_stops_no_change_of_another(tmp_path: Path) -> None:
    where = aim(tmp_path, '{"mcpServers": {"a": {"url": "ftp://a"}}}')
    assert change(where, adding("b", {"command": "b"})) is not None


def test_the_other_files_are_judged_along(tmp_path: Path) -> None:
    where = aim(tmp_path, '{"mcpServers": {"a": {"command": "a"}}, "names": {"separator": "--"}}')
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "1.json").write_text('{"mcpServers": {"b": {"url": "http://x"}}}')
    with pytest.raises(ConfigError, match="both a command and a url"):
        change(where, adding("b", {"command": "b"}))
    with pytest.raises(ConfigError, match="which separates servers from tools"):
        change(where, adding("b--c", {"command": "b"}))


def test_a_file_that_is_mounted_from_a_config_map_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "..2026_01_31").mkdir()
    (tmp_path / "..2026_01_31" / "mcp.json").write_text(TEXT)
    (tmp_path / "..data").symlink_to("..2026_01_31")
    (tmp_path / "mcp.json").symlink_to("..data/mcp.json")
    with pytest.raises(
        StoreError, match="is mounted from a ConfigMap or a Secret; nothing was changed; change it there"
    ):
        change(aim(tmp_path, None), adding("b", {"command": "b"}))


def test_the_largest_file_is_not_made_larger_than_can_be_read(tmp_path: Path) -> None:
    where = aim(tmp_path, '{"mcpServers": {}} //' + "x" * (10 * 1024 * 1024 - 40))
    with pytest.raises(ConfigError, match="larger than 10 MiB"):
        change(where, adding("b", {"command": "b", "args": ["x" * 60]}))


@pytest.mark.parametrize("text", ["{}", '{"port": 4000}', '{ "mcpServers": { "b": { "comand": "b" } } }'])
def test_a_change_that_mends_what_was_faulty_is_made(text: str, tmp_path: Path) -> None:
    done = change(aim(tmp_path, text), adding("b", {"command": "b"}))
    assert done is not None
    assert not done.after.judged().faults
