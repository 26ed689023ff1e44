"""The resources that the suite reads, by the URIs that it reads them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, ReadResourceResult
from tests.conformance.content import png
from tests.conformance.conversation import STATELESS

NOT_FOUND_BEFORE: Final = -32002
"""What an unknown resource was until 2025-11-25; -32602 since."""

CONTENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": png()},
    "test://watched-resource": {"mimeType": "text/plain", "text": "It is being watched."},
}
TEMPLATE: Final = {
    "uriTemplate": "test://template/{id}/data",
    "name": "template",
    "description": "Data of one id",
    "mimeType": "application/json",
}


def entries() -> list[dict[str, Any]]:
    """How the resources are listed."""
    return [
        {
            "uri": uri,
            "name": uri.removeprefix("test://"),
            "description": f"Tests: {uri}",
            "mimeType": of["mimeType"],
        }
        for uri, of in CONTENTS.items()
    ]


def read(ctx: ServerRequestContext[Any, Any], uri: str) -> ReadResourceResult:
    """What stands in one resource.

    Raises:
        MCPError: there is no such resource; with the era's code, and the URI.
    """
    found = CONTENTS.get(uri) or _of_template(uri)
    if found is None:
        code = INVALID_PARAMS if ctx.protocol_version == STATELESS else NOT_FOUND_BEFORE
        raise MCPError(code, "Resource not found", {"uri": uri})
    return ReadResourceResult.model_validate({"contents": [{"uri": uri, **found}]})


def _of_template(uri: str) -> Mapping[str, str] | None:
    before, after = "test://template/", "/data"
    if not (uri.startswith(before) and uri.endswith(after)):
        return None
    key = uri.removeprefix(before).removesuffix(after)
    data = {"id": key, "templateTest": True, "data": f"Data for ID: {key}"}
    return {"mimeType": "application/json", "text": json.dumps(data)}
