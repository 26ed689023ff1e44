"""An upstream's HTTP status where a JSON-RPC answer was due."""

import msgspec

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.wire.envelope import open_object


class HttpStatusError(UpstreamError):
    """The upstream answered a POST with a status that is no answer to the request."""

    def __init__(  # noqa: PLR0913 - those of an UpstreamError and two more
        self, server: str, reason: Reason, what: str, *, status: int, error: bytes = b"", ran: bool = True
    ) -> None:
        super().__init__(server, reason, what, ran=ran)
        self.status = status
        self.error = error
        """The JSON-RPC error object in the body; empty if there was none."""

    @property
    def code(self) -> int:
        """The JSON-RPC error code in the body; 0 if there was none."""
        try:
            return msgspec.json.decode(open_object(self.error).get("code", b"0"), type=int)
        except (RpcError, msgspec.DecodeError):
            return 0
