"""Whether upstreams on HTTP can be reached: one harmless GET each, all at once, within a bound."""

import asyncio
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from onemcp.core.redact import without_secrets
from onemcp.core.spec import HttpTransport, UpstreamSpec
from onemcp.errors import Reason, UpstreamError
from onemcp.net.response import Response
from onemcp.ops.checkup import Finding, Grade
from onemcp.upstream.endpoint import EVENTS, Endpoint

_MAX_BODY: Final = 1024 * 1024
_AT_ONCE: Final = 32
_SKEW: Final = 60.0
"""Seconds by which a server's clock may differ from ours."""
_FIXES: Final = {
    Reason.UNREACHABLE: 'check name, port and certificate of its "url", and the way there (proxy, firewall, DNS)',
    Reason.TIMEOUT: "see whether it runs, and whether something on the way swallows the connection",
}


async def reach(specs: Sequence[UpstreamSpec], timeout: float) -> list[Finding]:
    """A finding for each enabled upstream on HTTP, in their order; each has `timeout` seconds."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(spec: UpstreamSpec, transport: HttpTransport) -> Finding:
        async with places:
            return await _reach(spec.name, transport, timeout)

    return list(
        await asyncio.gather(
            *(
                one(spec, spec.transport)
                for spec in specs
                if isinstance(spec.transport, HttpTransport) and not spec.disabled and spec.fault is None
            )
        )
    )


async def _reach(name: str, transport: HttpTransport, timeout: float) -> Finding:
    about = f"reach {name}"
    try:
        endpoint = Endpoint(name, transport, _MAX_BODY)
    except UpstreamError as error:
        return Finding(about, Grade.BAD, error.what, 'correct its "url" and "headers"')
    try:
        response = await endpoint.send(endpoint.head("GET", (EVENTS,)), timeout=timeout)
        response.close()
    except UpstreamError as error:
        fix = _FIXES.get(error.reason, "see its own log")
        what = without_secrets(error.what).removeprefix(f"({endpoint.origin}) ")
        return Finding(about, Grade.BAD, f"{endpoint.origin} {what}", fix)
    finally:
        await endpoint.aclose()
    return _judged(about, str(endpoint.origin), response)


def _judged(about: str, origin: str, response: Response) -> Finding:
    status = response.status
    if status in (401, 403):
        what = f"{origin} answers, and wants credentials (status {status})"
        return Finding(about, Grade.WARNING, what, 'put a token into the "headers" of its entry')
    if status == 404:
        what = f"{origin} answers, but knows no such path (status 404)"
        return Finding(about, Grade.WARNING, what, 'check the path of its "url"; most servers are at /mcp')
    if status >= 500:
        return Finding(about, Grade.BAD, f"{origin} answers with status {status}", "see its own log")
    skew = _skew(response.header(b"date"))
    if abs(skew) > _SKEW:
        what = f"{origin} answers, but its clock differs from ours by {skew:+.0f} s"
        return Finding(about, Grade.WARNING, what, "set whichever is wrong; tokens are judged by it")
    return Finding(about, Grade.OK, f"{origin} answers (status {status})")


def _skew(date: str) -> float:
    """Seconds that a server is ahead, by its Date header; 0 if it has none that can be read."""
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
