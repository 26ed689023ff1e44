"""Text for a person never holds up the gateway."""

import os
from pathlib import Path

from onemcp.cli.printer import MAX_WAITING, Printer


def test_what_is_printed_comes_out_in_its_order() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, os.fdopen(reading) as reader:
        printer = Printer(out)
        for number in range(3):
            print(number, file=printer, flush=True)
        printer.close()
        assert [reader.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]


def test_a_pipe_that_nobody_reads_holds_up_nobody() -> None:
    reading, writing = os.pipe()
    out = os.fdopen(writing, "w")
    printer = Printer(out)
    for _ in range(2 * MAX_WAITING):
        print("x" * 1000, file=printer, flush=True)
    assert printer.write("more") == 0
    os.close(reading)
    printer.close()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), out.fileno())
    out.close()
