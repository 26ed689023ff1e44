"""What a `subscriptions/listen` request gets, over a runtime with scripted upstreams."""

import json
from typing import Any

import pytest
from msgspec import Raw
from tests.gateway.conftest import Running
from tests.support.channels import Failure, Upstreams, resources, stateless_resources, until

from onemcp.core.access import View
from onemcp.core.changes import Kind
from onemcp.errors import RpcError
from onemcp.gateway.context import CallContext
from onemcp.gateway.runtime import Runtime
from onemcp.gateway.subscriptions import Subscription, subscribe
from onemcp.gateway.watches import MAX_PER_CLIENT
from onemcp.wire.envelope import Envelope, encode
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio

CTX = CallContext(Era.STATELESS, "2026-07-28", View())


async def listen(runtime: Runtime, notifications: object) -> Subscription:
    params = Raw(encode({"notifications": notifications}))
    request = Envelope("2.0", Raw(b'"L1"'), "subscriptions/listen", params)
    return await subscribe(runtime, CTX, request)


def honoured(subscription: Subscription) -> Any:
    message = json.loads(subscription.acknowledgement)
    assert message["method"] == "notifications/subscriptions/acknowledged"
    assert message["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "L1"}
    return message["params"]["notifications"]


async def test_the_acknowledgement_repeats_what_is_honoured_and_nothing_else(running: Running) -> None:
    refusing = {**resources("b:1"), "resources/subscribe": Failure(-32002)}
    async with running(Upstreams(a=stateless_resources("a:1", "a:2"), b=refusing)) as runtime:
        asked = {
            "toolsListChanged": True,
            "promptsListChanged": False,
            "resourcesListChanged": None,
            "resourceSubscriptions": ["a:2", "b:1", "c:1", "a:1", "a:2"],
            "tasksChanged": {"of": "the future"},
        }
        subscription = await listen(runtime, asked)
        assert honoured(subscription) == {"toolsListChanged": True, "resourceSubscriptions": ["a:2", "a:1"]}
        assert subscription.stream.kinds == {Kind.TOOLS}
        assert len(runtime.watches) == 2
        last = json.loads(subscription.result)
        assert last["id"] == "L1"
        assert last["result"]["resultType"] == "complete"


@pytest.mark.parametrize(
    "notifications", [{}, {"resourceSubscriptions": []}, {"resourceSubscriptions": ["x:1"]}]
)
async def test_with_no_resource_to_watch_there_is_none_in_the_acknowledgement(
    running: Running, notifications: object
) -> None:
    async with running(Upstreams(a=stateless_resources("a:1"))) as runtime:
        assert honoured(await listen(runtime, notifications)) == {}


@pytest.mark.parametrize(
    "notifications",
    [
        [],
        "all",
        {"toolsListChanged": 1},
        {"promptsListChanged": "true"},
        {"resourceSubscriptions": "a:1"},
        {"resourceSubscriptions": [1]},
        {"resourceSubscriptions": [f"a:{number}" for number in range(MAX_PER_CLIENT + 1)]},
    ],
)
async def test_a_filter_of_wrong_types_or_without_measure_is_refused(
    running: Running, notifications: object
) -> None:
    async with running(Upstreams(a=stateless_resources("a:1"))) as runtime:
        with pytest.raises(RpcError) as caught:
            await listen(runtime, notifications)
        assert caught.value.code == -32602
        assert len(runtime.watches) == 0


async def test_a_subscription_waits_for_upstreams_that_start_unless_nobody_shall_wait(
    running: Running,
) -> None:
    for async_loading, uris in ((False, ["a:1"]), (True, None)):
        upstreams = Upstreams(a=stateless_resources("a:1"))
        async with running(upstreams, settle=False, async_loading=async_loading) as runtime:
            subscription = await listen(runtime, {"resourceSubscriptions": ["a:1"]})
            assert honoured(subscription).get("resourceSubscriptions") == uris


async def test_an_update_waits_on_the_stream_until_it_is_read(running: Running) -> None:
    upstreams = Upstreams(a=stateless_resources("a:1"))
    async with running(upstreams) as runtime:
        subscription = await listen(runtime, {"resourceSubscriptions": ["a:1"]})
        upstreams.last("a").update("a:1")
        message = await subscription.stream.next()
        assert message is not None
        assert json.loads(message)["params"]["uri"] == "a:1"
        runtime.watches.forget(subscription.stream)
        await until(lambda: upstreams.last("a").watching[-1] == frozenset())
