"""Whether upstreams on HTTP, and a gateway, can be reached: one harmless GET each, all at once, within a bound."""

import asyncio
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from onemcp.core.spec import HttpTransport, UpstreamSpec
from onemcp.errors import Reason, UpstreamError
from onemcp.net.fault import HttpError
from onemcp.net.http1 import HttpClient
from onemcp.net.origin import Origin
from onemcp.net.response import Response
from onemcp.ops.checkup import Finding, Grade
from onemcp.upstream.endpoint import EVENTS, Endpoint
from onemcp.upstream.secrecy import learn, without_secrets_of

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
        learn(spec, {})
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


async def gateway_at(host: str, port: int, timeout: float) -> str:
    """The version of the gateway that answers on a port; empty if none does."""
    try:
        async with HttpClient(Origin("http", host.strip("[]"), port)) as client:
            response = await client.request("GET", "/health", timeout=timeout)
    except HttpError:
        return ""
    return response.header(b"x-service-version")


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
        what = without_secrets_of(name, error.what).removeprefix(f"({endpoint.origin}) ")
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
