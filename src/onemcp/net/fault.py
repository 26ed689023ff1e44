"""What can go wrong between us and an HTTP server, in one exception and few kinds."""

from enum import StrEnum

from onemcp.errors import OnemcpError


class Fault(StrEnum):
    """Why there is no response."""

    UNREACHABLE = "unreachable"
    """No connection could be made: name, route, port or certificate."""
    BUSY = "busy"
    """Our own limits: too many requests wait for a connection."""
    TIMEOUT = "timeout"
    LOST = "lost"
    """The connection ended before the response did."""
    MALFORMED = "malformed"
    """What came is not HTTP/1.1 as we accept it."""
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    """Our own rules: such an address is not connected to."""


class HttpError(OnemcpError):
    """An exchange failed. `what` continues a sentence that begins with the server's name.

    `sent` is False only where no byte of the request can have reached the server.
    """

    def __init__(self, fault: Fault, what: str, *, sent: bool = True) -> None:
        super().__init__(what)
        self.fault = fault
        self.what = what
        self.sent = sent
