"""The writer against pipes that break, pipes that nobody reads, and disks that are full."""

import json
import os
import threading
from pathlib import Path

from tests.support.lines import entry, eventually

from onemcp.ops.logs.entry import Entry
from onemcp.ops.logs.format import as_json
from onemcp.ops.logs.sink import FileSink, StreamSink
from onemcp.ops.logs.writer import MAX_LINES, LogWriter


class Gate:
    """A sink that waits until it may go on, and fails while it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.fails = False
        self.complaints = [""]
        self.lines: list[bytes] = []
        self.reopened = 0

    def write(self, line: bytes) -> None:
        self.open.wait(20)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.lines.append(line)

    def reopen(self) -> None:
        self.reopened += 1

    def complaint(self) -> str:
        return self.complaints.pop() if self.complaints else ""

    def give_up(self) -> None:
        self.open.set()

    def close(self) -> None:
        pass


def messages(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["message"] for line in lines]


def test_lines_come_in_their_order_and_the_last_ones_before_the_end(tmp_path: Path) -> None:
    writer = LogWriter(FileSink(tmp_path / "log", 0, 1), as_json)
    for number in range(500):
        writer.put(entry(str(number)))
    writer.close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert messages(lines) == [str(number) for number in range(500)]


def test_a_sink_that_takes_nothing_holds_up_nobody_and_what_is_lost_is_told() -> None:
    gate = Gate()
    writer = LogWriter(gate, as_json)
    for number in range(MAX_LINES + 50):
        writer.put(entry(str(number)))
    assert 45 <= writer.lost <= 50  # one may be in the writer's hands
    gate.open.set()
    writer.close(20)
    told = [message for message in messages(gate.lines) if "of the log were lost" in message]
    assert told == [f"{writer.lost} lines of the log were lost: they came faster than they could be written"]
    assert len(gate.lines) == MAX_LINES + 50 - writer.lost + 1


def test_few_long_lines_fill_the_queue_as_well() -> None:
    gate = Gate()
    writer = LogWriter(gate, as_json)
    for _ in range(1000):
        writer.put(entry("x" * 8000))
    assert writer.lost > 400
    gate.open.set()
    writer.close(20)


def test_a_full_disk_costs_lines_and_says_so_once_there_is_room() -> None:
    gate = Gate()
    gate.fails = True
    gate.open.set()
    writer = LogWriter(gate, as_json)
    for number in range(3):
        writer.put(entry(str(number)))
    eventually(lambda: writer.lost == 3)
    gate.fails = False
    writer.put(entry("room"))
    writer.close()
    assert messages(gate.lines) == ["3 lines of the log were lost: No space left on device", "room"]


def test_a_reader_that_has_gone_stops_nothing() -> None:
    read, write = os.pipe()
    writer = LogWriter(StreamSink(write), as_json)
    os.close(read)
    writer.put(entry("into the void"))
    eventually(lambda: writer.lost == 1)
    writer.close()
    os.close(write)


def test_an_end_does_not_wait_for_a_pipe_that_nobody_reads() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    writer = LogWriter(StreamSink(write), as_json)
    for _ in range(200):
        writer.put(entry("x" * 8000))
    ended = threading.Thread(target=lambda: writer.close(0.2))
    ended.start()
    ended.join(10)
    assert not ended.is_alive()
    eventually(lambda: "log" not in [thread.name for thread in threading.enumerate()])
    os.close(read)
    os.close(write)


def test_it_is_opened_anew_when_asked_to() -> None:
    gate = Gate()
    gate.open.set()
    writer = LogWriter(gate, as_json)
    writer.reopen()
    eventually(lambda: gate.reopened == 1)
    writer.close()


def test_lines_from_many_threads_are_all_there() -> None:
    gate = Gate()
    gate.open.set()
    writer = LogWriter(gate, as_json)

    def work(name: str) -> None:
        for number in range(200):
            writer.put(entry(f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    writer.close()
    assert sorted(messages(gate.lines)) == sorted(f"{name}{n}" for name in "abcd" for n in range(200))


def test_a_complaint_of_the_sink_is_a_line_of_its_own() -> None:
    gate = Gate()
    gate.open.set()
    gate.complaints = ["it grows"]
    writer = LogWriter(gate, as_json)
    writer.put(entry("one"))
    writer.put(entry("two"))
    writer.close()
    assert messages(gate.lines) == ["one", "it grows", "two"]


def test_a_line_that_has_no_form_costs_that_line_only() -> None:
    gate = Gate()
    gate.open.set()

    def form(line: Entry) -> bytes:
        if line.message == "odd":
            raise ValueError("no form")
        return as_json(line)

    writer = LogWriter(gate, form)
    writer.put(entry("odd"))
    writer.put(entry("even"))
    writer.close()
    assert messages(gate.lines) == [
        "1 line of the log were lost: a line had no form: ValueError('no form')",
        "even",
    ]
