"""The errors of onemcp: few types, sorted by whose turn it is to act.

Every one says what happened, where, and what to do. Library errors are translated into these at the seam where
they arise and nowhere else; `web` and `cli` turn them into JSON-RPC errors, HTTP statuses and exit codes.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in what a person wrote: where it stands, what is wrong and what to do about it."""

    what: str
    fix: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""

    def __str__(self) -> str:
        """One line: `file:line:column: key: what; fix`, leaving out what is not known."""
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        parts = [part for part in (place, self.key, self.what) if part]
        return ": ".join(parts) + (f"; {self.fix}" if self.fix else "")


class OnemcpError(Exception):
    """The root of all errors that onemcp raises on purpose."""


class ConfigError(OnemcpError):
    """What a person wrote cannot be used; nothing was changed because of it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class StartError(OnemcpError):
    """The machine refused something that the gateway needs to start (a port, a folder, a lock)."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix


class StoreError(OnemcpError):
    """What is kept could not be read or written; of a writing nothing was done."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}; {fix}" if fix else what)
        self.what = what
        self.fix = fix


class RpcError(OnemcpError):
    """An answer to a JSON-RPC request that is an error; reaches the client as it is.

    `status` is the HTTP status that carries it where the revision asks for another one than 200.
    """

    def __init__(self, code: int, message: str, data: object = None, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status


class Reason(StrEnum):
    """Why an upstream did not answer; `data.reason` of the error that a client gets."""

    UNFIT = "upstream_cannot_start"
    """It will not start until somebody changes something: no such command, no such folder."""
    EXITED = "upstream_exited"
    UNREACHABLE = "upstream_unreachable"
    TIMEOUT = "upstream_timeout"
    NOT_READY = "upstream_not_ready"
    OVERLOADED = "upstream_overloaded"
    TOO_LARGE = "message_too_large"
    PROTOCOL = "upstream_protocol_error"
    SESSION_LOST = "upstream_session_lost"
    UNAUTHORIZED = "upstream_unauthorized"
    STREAM_LOST = "upstream_stream_lost"
    STOPPING = "upstream_stopping"


class UpstreamError(OnemcpError):
    """An upstream failed: which one, why, and what was seen.

    `ran` is False only where the request certainly did not reach the upstream's code, so that asking again is safe.
    """

    def __init__(self, server: str, reason: Reason, what: str, *, ran: bool = True) -> None:
        super().__init__(f"{server}: {what}")
        self.server = server
        self.reason = reason
        self.what = what
        self.ran = ran
