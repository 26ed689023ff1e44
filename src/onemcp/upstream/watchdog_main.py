"""The watchdog process: ends what upstreams leave behind, and everything once the gateway is gone.

The gateway runs this file on its own (`python -I -S -E watchdog_main.py INSTANCE`), so it imports nothing but the
standard library and stays small. It is a session leader and ignores the signals that end a gateway. A line on stdin
is an order, the end of stdin means that the gateway is gone:

    register SERIAL       an upstream is about to be started
    started SERIAL PID    it leads the process group PID
    release SERIAL        it has ended: end what remains of it, then answer "released SERIAL COUNT" on stdout
    kill                  end all of them at once, without SIGTERM

Every upstream is started with `ONEMCP_UPSTREAM=INSTANCE:SERIAL` in its environment, and whatever it starts inherits
that, through setsid and double forks. On Linux processes are found by it in /proc, and by their session or group
where a process has replaced its environment. Elsewhere the process group is what can be reached.
"""

import os
import signal
import sys
import time

VARIABLE = "ONEMCP_UPSTREAM"
"""Holds the marks of all gateways above a process, blank-separated: a gateway may be another one's upstream."""
GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL for what remains of an upstream."""
ROUNDS = 100
"""Sweeps with SIGKILL before a process that survives them is left alone (it sleeps in the kernel)."""
_PAUSE = 0.02
_SETTLED = 0.2
_UNSTARTED = 2.0
"""Seconds to keep looking, after the gateway's end, for a child that was between fork and exec."""
_MAX_ORDER = 1 << 16


class Stat:
    """What /proc/PID/stat tells of a process; raises OSError for one that is gone."""

    def __init__(self, pid: int) -> None:
        # The name in parentheses may hold anything, so the fields count from the last one that closes.
        fields = _contents(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        self.is_zombie = fields[0] in (b"Z", b"X")
        self.group, self.session = int(fields[2]), int(fields[3])
        self.started = int(fields[19])


class Group:
    """The process group and session that one upstream leads, with its start time against reused pids."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self.started = Stat(pid).started
        except OSError:
            self.started = 0

    def is_valid(self) -> bool:
        """False if the leader's pid belongs to another process by now.

        A pid stays taken while it names a group or a session, so a leader that is gone proves nothing.
        """
        try:
            return not self.started or Stat(self.pid).started == self.started
        except OSError:
            return True


class Ward:
    """The upstreams of one gateway."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._groups: dict[str, Group | None] = {}
        self._has_proc = os.access("/proc/self/environ", os.R_OK)

    def obey(self, lines: list[bytes]) -> list[str]:
        """Carry out orders, those to release together; the answers. What is not an order is passed over."""
        released: dict[str, None] = {}
        for line in lines:
            match line.decode("ascii", "replace").split():
                case ["register", serial]:
                    self._groups[serial] = None
                case ["started", serial, pid] if pid.isdecimal() and int(pid) > 1:
                    self._groups[serial] = Group(int(pid))
                case ["release", serial]:
                    released[serial] = None
                case ["kill"]:
                    self._kill(None)
                    self._groups.clear()
        if not released:
            return []
        count = self.end(list(released))
        for serial in released:
            self._groups.pop(serial, None)
        return [f"released {serial} {count}\n" for serial in released]

    def end_all(self) -> None:
        """End every upstream; keep looking for a moment for one that was just being started."""
        if not self._groups:
            return
        unstarted = None in self._groups.values()
        until = time.monotonic() + (_UNSTARTED if unstarted else _SETTLED)
        self.end(None)
        while time.monotonic() < until:
            time.sleep(_PAUSE)
            self.end(None)

    def end(self, serials: list[str] | None) -> int:
        """End what runs of these upstreams (None: of all); how many processes there were."""
        count = left = self._sweep(serials, signal.SIGTERM)
        until = time.monotonic() + GRACE
        while left and time.monotonic() < until:
            time.sleep(_PAUSE)
            left = self._sweep(serials, 0)
        if left:
            self._kill(serials)
        return count

    def _kill(self, serials: list[str] | None) -> None:
        for _ in range(ROUNDS):
            if not self._sweep(serials, signal.SIGKILL):
                break
            time.sleep(_PAUSE)

    def _sweep(self, serials: list[str] | None, number: int) -> int:
        """Send a signal (0 for none) to every process of these upstreams; how many there are."""
        known = self._groups if serials is None else serials
        groups = [group for serial in known if (group := self._groups.get(serial)) and group.is_valid()]
        if not self._has_proc:
            return sum(_reached(-group.pid, number) for group in groups)
        leaders = {group.pid for group in groups}
        with os.scandir("/proc") as entries:
            pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
        return sum(_reached(pid, number) for pid in pids if self._is_of(pid, serials, leaders))

    def _is_of(self, pid: int, serials: list[str] | None, leaders: set[int]) -> bool:
        if pid == os.getpid():
            return False
        try:
            if self._is_marked(_contents(f"/proc/{pid}/environ"), serials):
                return True
        except OSError:
            pass  # Gone, or another user's: the group may still tell.
        if not leaders:
            return False
        try:
            stat = Stat(pid)
        except OSError:
            return False
        return not stat.is_zombie and (stat.session in leaders or stat.group in leaders)

    def _is_marked(self, environ: bytes, serials: list[str] | None) -> bool:
        start = (b"\0" + environ).find(b"\0%b=" % VARIABLE.encode())
        if start < 0:
            return False
        value = environ[start + len(VARIABLE) + 1 :].partition(b"\0")[0]
        for mark in value.decode("ascii", "replace").split():
            instance, _, serial = mark.partition(":")
            if instance == self._instance and (serials is None or serial in serials):
                return True
        return False


def _contents(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib would add a third to the size of the process
        return file.read()


def _reached(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def main() -> None:
    """Obey until stdin ends, then end everything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    ward = Ward(sys.argv[1])
    rest = b""
    while data := os.read(0, _MAX_ORDER):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[:_MAX_ORDER]
        for answer in ward.obey(lines):
            try:
                os.write(1, answer.encode())
            except OSError:
                break  # Nobody listens any more; the end of stdin follows.
    ward.end_all()


if __name__ == "__main__":
    main()
