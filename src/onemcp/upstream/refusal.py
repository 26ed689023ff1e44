"""What an upstream means by an HTTP status that is no success."""

from http import HTTPStatus
from typing import Final

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.net.response import Response
from onemcp.upstream.connection import upstream_says
from onemcp.upstream.status import HttpStatusError
from onemcp.wire.envelope import Envelope, parse

BUSY: Final = frozenset({429, 503})
"""Statuses by which the request was turned away unheard."""
_DENIED: Final = frozenset({401, 403})
_SESSION_STATUSES: Final = frozenset({400, 404, 410})
_SESSION_WORDS: Final = (
    "not found",
    "expired",
    "invalid",
    "unknown",
    "no valid",
    "not valid",
    "terminated",
    "does not exist",
    "no longer",
)
_SHOWN: Final = 200


def error_in(response: Response) -> Envelope | None:
    """The JSON-RPC error that the body is, if it is one."""
    if not response.body.lstrip().startswith(b"{"):
        return None
    try:
        envelope = parse(response.body)
    except RpcError:
        return None
    return envelope if bytes(envelope.error).startswith(b"{") else None


def is_session_loss(response: Response) -> bool:
    """Whether the answer to a request that named a session says that there is no such session.

    404 is the specified way (streamable HTTP, session management, 2025-11-25); servers in the field also say it
    with 400 or 410 and words.
    """
    if response.status == HTTPStatus.NOT_FOUND:
        return True
    if response.status not in _SESSION_STATUSES:
        return False
    text = response.body[:4096].decode(errors="replace").lower()
    if "server not initialized" in text:
        return True
    return "session" in text and any(words in text for words in _SESSION_WORDS)


def refusal(server: str, response: Response) -> UpstreamError:
    """The error for an answer that is not the one to the request; an HttpStatusError unless the status is a success."""
    status = response.status
    if 200 <= status < 300:
        kind = _one_line(response.header(b"content-type")) or "no content type"
        return UpstreamError(
            server, Reason.PROTOCOL, f"answered {status} without an answer to the request ({kind})"
        )
    envelope = error_in(response)
    error = bytes(envelope.error) if envelope is not None else b""
    reason, what, ran = _meaning(response)
    return HttpStatusError(
        server, reason, what + _words(response, envelope), status=status, error=error, ran=ran
    )


def _meaning(response: Response) -> tuple[Reason, str, bool]:
    """Reason, text, and whether the request may have run."""
    status = response.status
    called = f"{status} {_phrase(status)}".rstrip()
    if status in _DENIED:
        challenge = _one_line(response.header(b"www-authenticate"))
        told = f" (WWW-Authenticate: {challenge})" if challenge else ""
        return Reason.UNAUTHORIZED, f"wants other credentials: {called}{told}", False
    if status in BUSY:
        after = _one_line(response.header(b"retry-after"))
        told = f", and asks to wait (Retry-After: {after})" if after else ""
        return Reason.UNREACHABLE, f"is overloaded: {called}{told}", False
    if 300 <= status < 400:
        place = _one_line(response.header(b"location")).partition("?")[0]
        return Reason.PROTOCOL, f"is somewhere else ({called}: {place}); set that url in its entry", False
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Reason.TOO_LARGE, f"does not take a request of this size: {called}", False
    if status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
        return Reason.UNREACHABLE, f"is behind a proxy that cannot reach it: {called}", True
    return Reason.PROTOCOL, f"answered {called}", True


def _words(response: Response, envelope: Envelope | None) -> str:
    """What the body says, in a few words; nothing where it is a page for a browser."""
    if response.status in _DENIED or response.status in BUSY:
        return ""
    if envelope is not None:
        error = upstream_says(envelope.error)
        return f": {error.code} {_one_line(error.message)}"
    text = _one_line(response.body[: 4 * _SHOWN].decode(errors="replace"))
    return f": {text}" if text and not text.startswith("<") else ""


def _one_line(text: str) -> str:
    """Text of the upstream's, fit for one line of a log."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[:_SHOWN]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
