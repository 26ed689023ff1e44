"""The echo server on stdin and stdout: one blocking loop, a batch of lines per read and per write."""

import os
from contextlib import suppress

from benchmarks.upstreams.echo import Echo, arguments


def serve(echo: Echo, source: int, sink: int) -> None:
    """Answer the lines of one file descriptor on another until the first one ends."""
    rest = b""
    while data := os.read(source, 1 << 18):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        answers = [answer + b"\n" for line in lines if line and (answer := echo.answer(line))]
        _write(sink, b"".join(answers))


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]


def main() -> None:
    options = arguments(__doc__).parse_args()
    with suppress(KeyboardInterrupt, BrokenPipeError):
        serve(Echo(options.tools, options.era), 0, 1)


if __name__ == "__main__":
    main()
