"""A connection: a channel whose revision is agreed, with what the upstream said of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.upstream.channel import Channel, Request
from onemcp.wire.envelope import ABSENT, encode, open_object
from onemcp.wire.revisions import ERAS, Era


@dataclass(slots=True, eq=False)
class Connection:
    """One live, negotiated MCP connection. `Supervisor` owns it; everybody else only asks through it."""

    channel: Channel
    revision: str
    capabilities: Mapping[str, Raw]
    server_info: Raw
    instructions: str = ""
    own_meta: Mapping[str, Raw] | None = None
    """What goes into `_meta` of every request in the stateless era."""
    era: Era = field(init=False)
    """The era of the agreed revision."""

    def __post_init__(self) -> None:
        """Derive what every call asks for."""
        self.era = ERAS[self.revision]

    def __repr__(self) -> str:
        """Revision and liveness in one line."""
        return f"<Connection {self.revision} {'closed' if self.channel.closed.done() else 'open'}>"

    async def ask(
        self, method: str, params: dict[str, Raw], timeout: float, *, renews: bool = True
    ) -> dict[str, Raw]:
        """A request of the gateway's own; the members of its result. For `renews` see `Request`.

        Raises:
            RpcError: the upstream answered with an error.
            UpstreamError: it did not answer.
        """
        if self.own_meta is not None:
            params = {**params, "_meta": Raw(encode(self.own_meta))}
        request = Request(method, encode(params) if params else b"", timeout, renews=renews)
        reply = await self.channel.request(request)
        if reply.error is not ABSENT:
            raise upstream_says(reply.error)
        return open_object(reply.result)


def upstream_says(error: Raw) -> RpcError:
    """The error object of an upstream as an exception; tolerant of what is not one."""
    try:
        stated = msgspec.json.decode(error, type=_Stated)
    except msgspec.DecodeError:
        return RpcError(0, "an error that is none by JSON-RPC")
    return RpcError(stated.code, stated.message, stated.data if stated.data is not ABSENT else None)


class _Stated(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Raw = ABSENT
