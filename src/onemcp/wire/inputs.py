"""Results that ask for input: what a handshake-era upstream asks, in the words of the stateless era.

Source: multi round-trip requests (2026-07-28): `inputRequests` and `requestState` in a result, `inputResponses` in
the request that is sent again. `URLElicitationRequired` is an error of 2025-11-25 alone.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from onemcp.errors import RpcError
from onemcp.wire.envelope import ABSENT, INVALID_PARAMS, encode, open_object

INPUT_REQUIRED: Final = b'"input_required"'
STATE: Final = "requestState"
RESPONSES: Final = "inputResponses"
ELICIT: Final = "elicitation/create"
URL_REQUIRED: Final = -32042
"""`URLElicitationRequired`: the elicitations are in `data`. Not a code of the stateless era."""
ELICITATION_ID: Final = "elicitationId"

_ACTIONS: Final = frozenset({b'"accept"', b'"decline"', b'"cancel"'})
_PROGRESS: Final = "progressToken"
_NOT_HERE: Final = ("task", ELICITATION_ID)

_decode_list = msgspec.json.Decoder(list[Raw]).decode


def input_request(method: str, params: Raw) -> dict[str, Raw]:
    """One entry of `inputRequests`: the question without the members that this era does not have."""
    members = _opened(params)
    kept = {name: value for name, value in members.items() if name not in _NOT_HERE}
    meta = _opened(members.get("_meta", ABSENT))
    if meta.pop(_PROGRESS, None) is not None:
        kept["_meta"] = Raw(encode(meta))
    if kept != members or params is ABSENT:
        params = Raw(encode(kept))
    return {"method": Raw(encode(method)), "params": params}


def input_required(requests: Mapping[str, Mapping[str, Raw]], state: str) -> Raw:
    """The result that asks."""
    return Raw(encode({"resultType": "input_required", "inputRequests": requests, STATE: state}))


def check_response(key: str, method: str, response: Raw) -> None:
    """Pass an answer that has the shape of one.

    Raises:
        RpcError: -32602, naming it.
    """
    if bytes(response)[:1] != b"{":
        raise RpcError(INVALID_PARAMS, f'{RESPONSES}: "{key}" must be an object', status=400)
    if method == ELICIT and bytes(_opened(response).get("action", b"")) not in _ACTIONS:
        what = f'{RESPONSES}: "{key}" must have an "action": accept, decline or cancel'
        raise RpcError(INVALID_PARAMS, what, status=400)


def is_accepted(response: Raw) -> bool:
    """Whether an elicitation ended with the person's consent."""
    return bytes(_opened(response).get("action", b"")) == b'"accept"'


def url_elicitations(error: Raw) -> list[Raw]:
    """The elicitations that an error object asks for; none if it is no `URLElicitationRequired`."""
    try:
        members = open_object(error)
        if bytes(members.get("code", b"")) != b"%d" % URL_REQUIRED:
            return []
        listed = _decode_list(open_object(members.get("data", ABSENT)).get("elicitations", b"[]"))
    except (RpcError, msgspec.DecodeError):
        return []
    return [entry for entry in listed if bytes(entry)[:1] == b"{"]


def _opened(raw: Raw) -> dict[str, Raw]:
    try:
        return open_object(raw)
    except RpcError:
        return {}
