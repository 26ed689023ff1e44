"""JSON-RPC 2.0 messages, opened one level: ids, params, results and errors stay the bytes that they were.

Everything that crosses the gateway goes through `parse`, so what it refuses reaches nobody.
"""

from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

MAX_ID: Final = 1024
"""Longest id, in bytes of JSON: ids are repeated in what is queued for a client."""
ABSENT: Final = Raw()
"""A member that the message does not have; falsy when converted to bytes."""

_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D


class Envelope(msgspec.Struct):
    """One JSON-RPC message; which kind is read off the members that are there."""

    jsonrpc: str = ""
    id: Raw = ABSENT
    method: str = ""
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT

    @property
    def is_request(self) -> bool:
        """A method and an id: somebody waits for an answer."""
        return bool(self.method) and self.id is not ABSENT

    @property
    def is_response(self) -> bool:
        """An id with a result or an error and no method."""
        return not self.method and (self.result is not ABSENT or self.error is not ABSENT)


_decode = msgspec.json.Decoder(Envelope).decode
_decode_batch = msgspec.json.Decoder(list[Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def parse(data: bytes) -> Envelope:
    """Open one message.

    Raises:
        RpcError: -32700 for what is not JSON in UTF-8 (or nests deeper than the parser goes), -32600 for JSON
            that is not a JSON-RPC 2.0 message with a string or integer id.
    """
    try:
        envelope = _decode(data)
        if not data.isascii():
            data.decode()
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_REQUEST, f"not a JSON-RPC message: {error}", status=400) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}", status=400) from None
    if envelope.jsonrpc != "2.0":
        raise RpcError(INVALID_REQUEST, 'not a JSON-RPC message: "jsonrpc" is not "2.0"', status=400)
    if envelope.id is not ABSENT and not _is_id(request_id := bytes(envelope.id)):
        if envelope.method or request_id != b"null":
            raise RpcError(
                INVALID_REQUEST,
                f"a request id is a string or an integer of at most {MAX_ID} bytes",
                status=400,
            )
    elif not envelope.method and not envelope.is_response:
        raise RpcError(INVALID_REQUEST, "neither a request, a notification nor a response", status=400)
    return envelope


def _is_id(raw: bytes) -> bool:
    if len(raw) > MAX_ID:
        return False
    return raw.isdigit() or raw[:1] == b'"' or (raw[-1:].isdigit() and raw.lstrip(b"-").isdigit())


def is_batch(data: bytes) -> bool:
    """Whether the text is a JSON array, by its first character that is not white space."""
    first = data[:1]
    return first == b"[" or (first != b"{" and data.lstrip(b" \t\r\n")[:1] == b"[")


def parse_batch(data: bytes) -> list[bytes]:
    """The messages of a batch, each still to be opened with `parse`.

    Raises:
        RpcError: -32700 for what is not a JSON array.
    """
    try:
        return [bytes(entry) for entry in _decode_batch(data)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}", status=400) from None


def open_object(raw: Raw | bytes) -> dict[str, Raw]:
    """The members of a JSON object, values unopened; empty for an absent one.

    Of duplicate keys the last one counts, here and for whoever gets the re-encoded object.

    Raises:
        RpcError: -32602 for what is not an object.
    """
    if raw is ABSENT or not raw:
        return {}
    try:
        return _decode_object(raw)
    except msgspec.DecodeError:
        raise RpcError(INVALID_PARAMS, "not a JSON object") from None


def text(raw: Raw | None, member: str) -> str:
    """The value of a member of params that must be a string.

    Raises:
        RpcError: -32602.
    """
    try:
        if raw is not None:
            return _decode_text(raw)
    except msgspec.DecodeError:
        pass
    raise RpcError(INVALID_PARAMS, f'"{member}" must be a string', status=400)


def mentions(data: bytes | Raw, what: bytes) -> bool:
    """Whether `what` stands anywhere in a text that is not opened."""
    # For bytes `in` tries its left side as a number first, which takes several times as long as the search.
    return bytes(data).find(what) >= 0


def encode(value: object) -> bytes:
    """JSON text of any value; `Raw` values inside are copied as they are."""
    return _encode(value)


def one_line(raw: bytes) -> bytes:
    """The same JSON without line breaks between its tokens (inside strings JSON has none).

    Without this a pretty-printed payload would be more than one message on a stdio line or in an SSE event.
    """
    if _LINE_FEED in raw or _CARRIAGE_RETURN in raw:  # one byte, which is found at once
        return msgspec.json.format(raw, indent=-1)
    return raw


def request(request_id: int, method: str, params: bytes = b"") -> bytes:
    """A request of ours, on one line."""
    if params:
        return b'{"jsonrpc":"2.0","id":%d,"method":%b,"params":%b}' % (
            request_id,
            _encode(method),
            one_line(params),
        )
    return b'{"jsonrpc":"2.0","id":%d,"method":%b}' % (request_id, _encode(method))


def notification(method: str, params: bytes = b"") -> bytes:
    """A notification, on one line."""
    if params:
        return b'{"jsonrpc":"2.0","method":%b,"params":%b}' % (_encode(method), one_line(params))
    return b'{"jsonrpc":"2.0","method":%b}' % _encode(method)


def success(request_id: Raw | bytes, result: Raw | bytes) -> bytes:
    """The answer to a request, its id and result as they came."""
    return b"".join((b'{"jsonrpc":"2.0","id":', request_id, b',"result":', result, b"}"))


def failure(request_id: Raw | bytes | None, error: Raw | bytes) -> bytes:
    """An error answer around an encoded error object; without an id where the request's could not be read."""
    return b"".join((b'{"jsonrpc":"2.0","id":', request_id or b"null", b',"error":', error, b"}"))


def error_object(error: RpcError) -> bytes:
    """The `error` member for an RpcError."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return _encode(body)
