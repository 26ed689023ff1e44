import json
from typing import Any

import pytest
from msgspec import Raw

from onemcp.core.access import View
from onemcp.gateway.context import CallContext
from onemcp.gateway.tracing import carry, drop
from onemcp.wire.envelope import encode
from onemcp.wire.revisions import LATEST_STATELESS, Era

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def context(*headers: tuple[str, str]) -> CallContext:
    ctx = CallContext(Era.STATELESS, LATEST_STATELESS, View())
    ctx.trace = headers[0][1] if headers else ""
    ctx.trace_headers = headers
    return ctx


def carried(ctx: CallContext, **params: object) -> Any:
    raw = {name: Raw(encode(value)) for name, value in params.items()}
    carry(ctx, raw)
    return {name: json.loads(bytes(value)) for name, value in raw.items()}


def test_what_the_headers_say_is_put_into_meta() -> None:
    ctx = context(("traceparent", HEADER), ("tracestate", "a=1"))
    assert carried(ctx, name="x") == {"name": "x", "_meta": {"traceparent": HEADER, "tracestate": "a=1"}}


def test_what_else_is_in_meta_stays_there() -> None:
    ctx = context(("traceparent", HEADER))
    meta = {"progressToken": 1, "note": '"traceparent"'}
    assert carried(ctx, _meta=meta) == {"_meta": {**meta, "traceparent": HEADER}}


def test_what_meta_says_counts_and_headers_then_say_nothing() -> None:
    ctx = context(("traceparent", HEADER), ("tracestate", "a=1"))
    params = {"_meta": {"traceparent": OTHER, "tracestate": "b=2"}}
    assert carried(ctx, **params) == params
    assert (ctx.trace, ctx.trace_headers) == (OTHER, ())


@pytest.mark.parametrize("malformed", ["00-zz", 7, None, {"traceparent": HEADER}])
def test_what_is_malformed_in_meta_passes_and_names_no_trace(malformed: object) -> None:
    ctx = context()
    assert carried(ctx, _meta={"traceparent": malformed}) == {"_meta": {"traceparent": malformed}}
    assert ctx.trace == ""


@pytest.mark.parametrize("meta", [[], "traceparent", '"traceparent"', 1, None])
def test_a_meta_that_is_no_object_is_left_for_others_to_judge(meta: object) -> None:
    assert carried(context(("traceparent", HEADER)), _meta=meta) == {"_meta": meta}


def test_without_a_trace_nothing_is_touched() -> None:
    raw = Raw(b'{"progressToken" : 1}')
    params = {"_meta": raw}
    carry(context(), params)
    assert params["_meta"] is raw


def test_what_is_dropped_goes_nowhere_and_the_log_still_has_it() -> None:
    ctx = context(("traceparent", HEADER))
    meta = {"traceparent": OTHER, "tracestate": "a=1", "baggage": "user=ada", "progressToken": 1}
    params = {"_meta": Raw(encode(meta))}
    drop(ctx, params)
    assert json.loads(bytes(params["_meta"])) == {"progressToken": 1}
    assert (ctx.trace, ctx.trace_headers) == (HEADER, ())


@pytest.mark.parametrize("meta", [b'{ "progressToken":1}', b"{}", b"[]", b"7"])
def test_where_nothing_is_to_be_dropped_nothing_is_touched(meta: bytes) -> None:
    raw = Raw(meta)
    params = {"_meta": raw}
    drop(context(), params)
    assert params == {"_meta": raw}
    drop(context(), none := dict[str, Raw]())
    assert none == {}
