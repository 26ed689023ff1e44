"""The log: one line a fact, on standard error or in a file, and the last lines in memory.

It is the `logging` of the standard library with a handler of ours: whoever logs hands over facts and goes on. A
thread of its own gives them their form, takes out credentials, and writes.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onemcp.config.settings import Settings
from onemcp.errors import StartError
from onemcp.ops.logs.entry import entry_of
from onemcp.ops.logs.format import Format, as_json, as_text
from onemcp.ops.logs.level import LogLevel
from onemcp.ops.logs.place import objection, stream_of
from onemcp.ops.logs.rate import LIMITED, RateLimit
from onemcp.ops.logs.ring import LogRing
from onemcp.ops.logs.sink import FileSink, StreamSink
from onemcp.ops.logs.states import LOGGER as STATES
from onemcp.ops.logs.states import for_people
from onemcp.ops.logs.writer import LogWriter, Sink

_STDOUT: Final = 1
_FORMATS: Final[dict[str, Format]] = {"text": as_text, "json": as_json}


class Log:
    """The log of this process."""

    def __init__(self, writer: LogWriter, level: LogLevel) -> None:
        self.ring = LogRing()
        self.level = level
        self._writer = writer

    @property
    def lost(self) -> int:
        """Lines that could not be written since the start."""
        return self._writer.lost

    def reopen(self) -> None:
        """Open the log file under its name again; soon, by the thread that writes it."""
        self._writer.reopen()


class _Handler(logging.Handler):
    def __init__(self, ring: LogRing, writer: LogWriter, unwritten: frozenset[str]) -> None:
        super().__init__()
        self._ring = ring
        self._writer = writer
        self._unwritten = unwritten

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over the record's facts."""
        entry = entry_of(record)
        self._ring.put(entry)
        if record.name not in self._unwritten:
            self._writer.put(entry)


@contextmanager
def logging_to(settings: Settings) -> Iterator[Log]:
    """Log as the settings say while the block runs; at its end what waits is written, within a bound.

    Libraries below warning stay quiet.

    Raises:
        StartError: the log file cannot be written, or is none.
    """
    writer = LogWriter(_sink(settings), _FORMATS[settings.log_format])
    log = Log(writer, LogLevel(settings.log_level))
    root, limit = logging.getLogger(), RateLimit()
    unwritten = frozenset({STATES} if for_people(settings) else ())
    before, root.handlers[:] = root.handlers[:], [_Handler(log.ring, writer, unwritten)]
    root.setLevel(logging.WARNING)
    limited = [logging.getLogger(name) for name in LIMITED]
    for logger in limited:
        logger.addFilter(limit)
    try:
        yield log
    finally:
        for logger in limited:
            logger.removeFilter(limit)
        log.level.stop()
        root.handlers[:] = before
        writer.close()


def _sink(settings: Settings) -> Sink:
    if not settings.log_file:
        return StreamSink(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
    path = Path(settings.log_file)
    stream = stream_of(path)
    if stream == _STDOUT and settings.transport == "stdio":
        raise StartError(f"{path}: standard output belongs to the client here", "log to /dev/stderr")
    if stream is not None:
        return StreamSink(stream)
    try:
        objected = objection(path)
        if objected is not None:
            raise StartError(f"the log file {path} {objected[0]}", objected[1])
        return FileSink(path, settings.log_max_size, settings.log_max_files)
    except OSError as error:
        raise StartError(
            f"{path}: the log file cannot be written: {error.strerror}",
            "make its folder, or choose another with --log-file",
        ) from error
