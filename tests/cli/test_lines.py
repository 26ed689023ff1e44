"""Lines of an answer that goes on, as the gateway sends them and as it stops sending them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onemcp.cli.lines import BrokenOffError, lines_of

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def saying(answer: bytes, folder: Path) -> Iterator[str]:
    """A unix socket where the next request gets these bytes, and then the end of the connection."""
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(10)

        def answer_one() -> None:
            with listener.accept()[0] as one:
                one.recv(65536)
                one.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        try:
            yield path
        finally:
            thread.join(10)


def test_lines_come_whole_wherever_they_were_split(tmp_path: Path) -> None:
    chunks = b"3\r\nab\n\r\n4\r\nc\nde\r\n2\r\nf\n\r\n0\r\n\r\n"
    with (
        saying(HEAD + chunks, tmp_path) as path,
        lines_of(path, "/logs", 5, forever=True) as answer,
    ):
        assert list(answer.lines) == [b"ab\n", b"c\n", b"def\n"]
        assert answer.status == 200


@pytest.mark.parametrize("cut", [b"", b"3\r\n", b'9\r\n{"a": 1', b'2\r\n{"\r\n', b'2\r\n{"\r\n5'])
def test_half_a_line_is_none_and_an_answer_without_an_end_is_broken_off(cut: bytes, tmp_path: Path) -> None:
    got: list[bytes] = []
    with (
        saying(HEAD + b"3\r\nab\n\r\n" + cut, tmp_path) as path,
        lines_of(path, "/logs", 5, forever=False) as answer,
        pytest.raises(BrokenOffError),
    ):
        got.extend(answer.lines)
    assert got == [b"ab\n"]


def test_a_line_without_an_end_is_a_line_where_the_answer_has_one(tmp_path: Path) -> None:
    with (
        saying(b"HTTP/1.1 400 no\r\ncontent-length: 2\r\n\r\n{}", tmp_path) as path,
        lines_of(path, "/logs", 5, forever=False) as answer,
    ):
        assert (answer.status, list(answer.lines)) == (400, [b"{}"])
