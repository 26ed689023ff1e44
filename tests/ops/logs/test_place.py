"""What a path for the log leads to."""

import os
import socket
from pathlib import Path

import pytest

from onemcp.config.settings import resolve
from onemcp.errors import StartError
from onemcp.ops.checkup import Grade, log_file
from onemcp.ops.logs.logging import logging_to
from onemcp.ops.logs.place import objection, stream_of


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/dev/stdout", 1),
        ("/dev/stderr", 2),
        ("/dev/fd/2", 2),
        ("/proc/self/fd/1", 1),
        ("/dev/null", None),
        ("/dev/fd/7", None),
        ("log", None),
    ],
)
def test_the_names_of_the_standard_streams_are_known(path: str, stream: int | None) -> None:
    assert stream_of(Path(path)) == stream


def test_a_link_to_one_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/dev/stderr")
    assert stream_of(tmp_path / "a") == 2


def test_a_link_to_itself_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert stream_of(tmp_path / "a") is None


def odd(kind: str, folder: Path) -> Path:
    """Something that is no file."""
    path = folder / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("folder", "is a folder"),
        ("pipe", "is a named pipe"),
        ("socket", "is a socket"),
        ("device", "is a device"),
    ],
)
def test_what_is_no_file_is_refused_with_what_to_do(kind: str, what: str, tmp_path: Path) -> None:
    path = odd(kind, tmp_path)
    settings = resolve({}, {"log_file": str(path)})
    with pytest.raises(StartError, match=what) as refused, logging_to(settings):
        pass
    assert "--log-file" in refused.value.fix
    finding = log_file(settings)
    assert finding is not None
    assert finding.grade is Grade.BAD


@pytest.mark.parametrize("name", ["new", "old", "/dev/null"])
def test_a_file_and_the_null_device_are_fine(name: str, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    assert objection(tmp_path / name) is None
    finding = log_file(resolve({}, {"log_file": str(tmp_path / name)}))
    assert finding is not None
    assert finding.grade is Grade.OK


def test_standard_output_is_not_for_the_log_where_it_is_for_the_client() -> None:
    settings = resolve({}, {"log_file": "/dev/stdout", "transport": "stdio"})
    with pytest.raises(StartError, match="belongs to the client"), logging_to(settings):
        pass
