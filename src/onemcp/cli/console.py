"""The console of `serve`: what a person sees while the servers start, and after that only changes of state."""

import json
import shlex
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TextIO

from onemcp import __version__
from onemcp.cli.schema import example_call
from onemcp.cli.text import one_line, plain, room, state_style, table, width
from onemcp.core.events import UpstreamChanged
from onemcp.core.lifecycle import State
from onemcp.core.offering import Listing, Offering
from onemcp.core.redact import without_secrets
from onemcp.core.spec import UpstreamSpec

_OUTCOMES: Final = frozenset({State.READY, State.BACKOFF, State.AWAITING_AUTH, State.FAILED})
_STATE_WIDTH: Final = max(len(state) for state in State)
_TIME_WIDTH: Final = len("30.0 s")


class Console:
    """Tells a person how the start goes. A stream that breaks silences it and stops nothing.

    `program` is how the other commands are called from where the person is.
    """

    def __init__(self, out: TextIO, specs: Sequence[UpstreamSpec], program: str = "1mcp") -> None:
        self._out: TextIO | None = out
        self._specs = specs
        self._endpoint = ""
        self._reach = ""
        self._style = state_style(out)
        self._room = room(out)
        self._after_echo = "\n" if out.isatty() else ""  # a terminal has just shown ^C
        self._width = max((width(spec.name) for spec in specs), default=0)
        self._pending = {spec.name for spec in specs if not spec.disabled}
        self._told: dict[str, tuple[State, str]] = {}
        self._tools: dict[str, list[dict[str, Any]]] = {}
        self._settled = False
        self._program = program

    def started(self, endpoint: str, config: str, reach: str = "", local: str = "") -> None:
        """The endpoint is open; the servers start now.

        `reach` is what the other commands need to find this gateway, as ` --port 4000`; `local` is the endpoint on
        this machine, if a proxy stands in front of it.
        """
        self._endpoint = endpoint
        self._reach = reach
        self._print(f"onemcp {__version__} serves {endpoint or 'its standard streams'}")
        if local and local != endpoint:
            self._print(f"behind a proxy, at {local}")
        self._print(f"from {config}\n")
        for spec in self._specs:
            if spec.disabled:
                self._tell(spec.name, State.DISABLED, "")
            elif spec.fault is not None:
                fault = spec.fault
                self._tell(spec.name, State.FAILED, f"{fault.what}; {fault.fix}" if fault.fix else fault.what)
        self._settle()

    def changed(self, event: UpstreamChanged) -> None:
        """An upstream moved; attempts, repeated failures and changed lists are not worth a line."""
        if event.state not in _OUTCOMES or event.previous is State.READY is event.state:
            return
        seconds = event.seconds if event.previous is State.CONNECTING else None
        if event.offering is not None:
            self._tools[event.upstream] = _tools(event.offering)
            self._tell(event.upstream, event.state, _counts(event.offering), seconds)
        else:
            self._tools.pop(event.upstream, None)
            self._tell(event.upstream, event.state, event.reason, seconds)
        self._settle()

    def stopped(self) -> None:
        """The gateway has ended in order."""
        self._print(f"{self._after_echo}stopped; all servers have ended")

    def _tell(self, name: str, state: State, words: str, seconds: float | None = None) -> None:
        self._pending.discard(name)
        words = without_secrets(words)  # a server's last words may be anything
        if self._told.get(name) == (state, words):
            return
        self._told[name] = (state, words)
        what, _, fix = words.partition("; ")
        indent = self._width + _STATE_WIDTH + _TIME_WIDTH + 8
        limit = max(self._room - indent, indent) if self._room else 0
        time = "" if seconds is None else f"{seconds:.1f} s"
        padded = plain(name) + " " * (self._width - width(name))
        styled = self._style(state.value.ljust(_STATE_WIDTH))
        self._print(f"  {padded}  {styled}  {time:>{_TIME_WIDTH}}  {one_line(what, limit)}".rstrip())
        if fix:
            self._print(" " * indent + one_line(fix))

    def _settle(self) -> None:
        """After the last server has come to something: the sum, and what to try next, once."""
        if self._settled or self._pending:
            return
        self._settled = True
        enabled = [spec for spec in self._specs if not spec.disabled]
        ready = sum(self._told.get(spec.name, ("",))[0] is State.READY for spec in enabled)
        plural = "" if len(enabled) == 1 else "s"
        self._print(f"\n{ready} of {len(enabled)} server{plural} ready.{self._hints()}")

    def _hints(self) -> str:
        """What to try next; nothing for a gateway that only the program which started it can speak to."""
        if not self._endpoint:
            return ""
        rows = [
            (
                f"{self._program} connect{self._reach}",
                "what to paste into Claude Code, Cursor, VS Code or Codex",
            ),
            (f"{self._program} status{self._reach}", "how every server is"),
        ]
        call = ""
        for spec in self._specs:
            example = example_call(self._tools.get(spec.name, ()))
            if example is not None:
                target, arguments = shlex.quote(f"{spec.name}/{example[0]}"), shlex.quote(example[1])
                rows.append(
                    (f"{self._program} inspect {shlex.quote(spec.name)}{self._reach}", "what it offers")
                )
                call = f"\n  {self._program} run {target} --args {arguments}{self._reach}"
                break
        return f" Try next, in another terminal:\n\n{plain(table(rows, indent=2) + call)}\n"

    def _print(self, text: str) -> None:
        if self._out is None:
            return
        try:
            print(text, file=self._out, flush=True)
        except (OSError, ValueError):
            self._out = None


def counts(tools: int, prompts: int, resources: int) -> str:
    """As `2 tools, 1 prompt`; what there is none of is left out."""
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((tools, "tool"), (prompts, "prompt"), (resources, "resource"))
        if number
    ]
    return ", ".join(parts) or "offers nothing"


def _counts(offering: Offering) -> str:
    numbers = {listing: len(offering.items(listing)) for listing in Listing}
    return counts(
        numbers[Listing.TOOLS],
        numbers[Listing.PROMPTS],
        numbers[Listing.RESOURCES] + numbers[Listing.TEMPLATES],
    )


def _tools(offering: Offering) -> list[dict[str, Any]]:
    tools = []
    for item in offering.items(Listing.TOOLS):
        with suppress(ValueError):
            tools.append(json.loads(item.raw))
    return tools
