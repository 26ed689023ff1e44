"""What a client is told when an upstream did not answer."""

from typing import Final

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.secrecy import without_secrets_of
from onemcp.wire.envelope import INTERNAL_ERROR

REQUEST_TIMEOUT: Final = -32001


def as_rpc_error(error: UpstreamError) -> RpcError:
    """The answer to a request that an upstream failed: which one, why, and the reason as a word in `data`.

    What a child wrote last may be part of it, without what is known to be secret of it or looks like a credential.
    """
    code = REQUEST_TIMEOUT if error.reason is Reason.TIMEOUT else INTERNAL_ERROR
    told = f"{error.server}: {without_secrets_of(error.server, error.what)}"
    return RpcError(code, told, {"reason": error.reason.value, "server": error.server})
