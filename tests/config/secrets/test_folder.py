"""Secrets in a folder, as Docker and Kubernetes put them there."""

import os
from pathlib import Path

import pytest

from onemcp.config.secrets.folder import Folder, FolderConfig
from onemcp.config.secrets.provider import MAX_BYTES, Found, SecretError

pytestmark = pytest.mark.anyio


async def got(folder: Path, path: str, field: str = "") -> Found | None:
    return await Folder("files", FolderConfig(str(folder))).get(path, field)


async def text(folder: Path, path: str, field: str = "") -> str | None:
    found = await got(folder, path, field)
    return found.secret.reveal() if found is not None else None


def mounted(volume: Path, **files: str) -> None:
    """A Secret of Kubernetes as the kubelet mounts it, and swaps it when it is changed."""
    fresh = volume / f"..{len(list(volume.iterdir())) + 1}"
    fresh.mkdir()
    for name, value in files.items():
        (fresh / name).write_text(value)
    (volume / "..tmp").symlink_to(fresh.name)
    (volume / "..tmp").replace(volume / "..data")
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")


@pytest.mark.parametrize(
    ("kept", "value"),
    [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a \n", " a "), ("a\r", "a\r")],
)
async def test_one_line_break_at_the_end_is_not_part_of_it(kept: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(kept.encode())
    assert await text(tmp_path, "x") == value


async def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert await text(tmp_path, "x") is None
    assert await text(tmp_path / "nowhere", "x") is None


async def test_a_swapped_volume_of_kubernetes_is_read_through_its_links(tmp_path: Path) -> None:
    mounted(tmp_path, key="one")
    assert await text(tmp_path, "key") == "one"
    mounted(tmp_path, key="two")
    assert await text(tmp_path, "key") == "two"


async def test_a_file_in_a_folder_below_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "password").write_text("p")
    assert await text(tmp_path, "db/password") == "p"


async def test_a_field_is_a_member_of_json(tmp_path: Path) -> None:
    (tmp_path / "db").write_text('{"user": "u", "port": 5432}')
    assert await text(tmp_path, "db", "user") == "u"
    assert await text(tmp_path, "db", "port") == "5432"
    assert await text(tmp_path, "db", "none") is None


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "..data/key", "a//b", ".", "./x", ".."])
async def test_a_name_that_leads_elsewhere_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="is not the name of a file"):
        await got(tmp_path, path)


async def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("canary-outside")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").symlink_to("../outside")
    with pytest.raises(SecretError, match="leaves the folder"):
        await got(folder, "x")


async def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name, why in (("pipe", "is not a file"), ("folder", "is not a file"), ("loop", "cannot be read")):
        with pytest.raises(SecretError, match=why):
            await got(tmp_path, name)


async def test_what_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, why in (("large", "larger than"), ("bytes", "not UTF-8")):
        with pytest.raises(SecretError, match=why):
            await got(tmp_path, name)


async def test_a_file_that_everybody_could_change_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("v")
    (tmp_path / "x").chmod(0o666)
    found = await got(tmp_path, "x")
    assert found is not None
    assert found.notice == f"{tmp_path / 'x'} can be written by everybody; chmod 600 it"
    (tmp_path / "x").chmod(0o600)
    found = await got(tmp_path, "x")
    assert found is not None
    assert not found.notice
