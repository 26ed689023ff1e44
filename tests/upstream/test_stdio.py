"""The channel to a child on its standard streams: real children, well-behaved and not."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec import Raw
from tests.support.channels import until
from tests.support.marks import carrying
from tests.support.scripted import command

from onemcp.errors import Reason, RpcError, UpstreamError
from onemcp.upstream.channel import Channel, Request
from onemcp.upstream.child import Launch
from onemcp.upstream.stdio import Limits, StdioChannel
from onemcp.upstream.watchdog import Watchdog
from onemcp.wire.envelope import Envelope, success

pytestmark = pytest.mark.anyio

QUICK = Limits(patience=0.1)
META = '{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'


@pytest.fixture
async def watchdog() -> AsyncIterator[Watchdog]:
    async with Watchdog() as watchdog:
        yield watchdog


@dataclass
class Upstream:
    """An open channel and what came through it unasked."""

    channel: StdioChannel
    inbound: list[Envelope] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)

    async def call(self, arguments: str = "{}", tool: str = "echo", timeout: float = 20) -> Any:
        params = f'{{"name":"{tool}","arguments":{arguments},"_meta":{META}}}'
        reply = await self.channel.request(Request("tools/call", params.encode(), timeout))
        return json.loads(bytes(reply.result))["structuredContent"]["arguments"]


@asynccontextmanager
async def started(watchdog: Watchdog, argv: list[str], limits: Limits = QUICK) -> AsyncIterator[Upstream]:
    upstream: Upstream
    inbound: list[Envelope] = []
    stderr: list[str] = []
    launch = Launch("one", tuple(argv), dict(os.environ))
    channel = await StdioChannel.open(launch, inbound.append, watchdog, stderr.append, limits)
    upstream = Upstream(channel, inbound, stderr)
    try:
        yield upstream
    finally:
        async with asyncio.timeout(20):
            await channel.aclose()


@asynccontextmanager
async def scripted(
    watchdog: Watchdog, *flags: str, revision: str = "2025-11-25", limits: Limits = QUICK
) -> AsyncIterator[Upstream]:
    """A scripted child whose connection is agreed."""
    async with started(watchdog, command(*flags), limits) as upstream:
        if revision == "2026-07-28":
            upstream.channel.adopt(revision)
        else:
            params = json.dumps({"protocolVersion": revision}).encode()
            await upstream.channel.request(Request("initialize", params, 20))
            upstream.channel.adopt(revision)
        yield upstream


def inline(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", f"import os, sys, time\n{code}"]


async def ended(upstream: Upstream) -> str:
    async with asyncio.timeout(20):
        return await asyncio.shield(upstream.channel.closed)


# Calls


async def test_it_is_a_channel(watchdog: Watchdog) -> None:
    async with scripted(watchdog) as upstream:
        channel: Channel = upstream.channel
        assert "open, 0 in flight" in repr(channel)


async def test_arguments_and_results_keep_their_tokens(watchdog: Watchdog) -> None:
    arguments = '{"b":1.00,"a":1e400,"big":123456789012345678901234567890,"\\u00e9":"\\ud83d\\ude00","b2":[]}'
    async with scripted(watchdog) as upstream:
        params = f'{{"name":"echo","arguments":{arguments}}}'.encode()
        reply = await upstream.channel.request(Request("tools/call", params))
        assert f'"arguments":{arguments}}},"x-vendor":1}}'.encode() in bytes(reply.result)


async def test_many_calls_at_once_each_get_their_own_answer(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--delay-call", "0.01") as upstream:
        answers = await asyncio.gather(*(upstream.call(str(number)) for number in range(200)))
        assert answers == list(range(200))


async def test_an_error_answer_arrives_as_it_was_given(watchdog: Watchdog) -> None:
    async with scripted(watchdog) as upstream:
        reply = await upstream.channel.request(Request("no/such"))
        assert json.loads(bytes(reply.error)) == {"code": -32601, "message": "Method not found"}


async def test_a_message_hidden_behind_a_line_break_never_becomes_one(watchdog: Watchdog) -> None:
    hidden = '{\r\n"x":\n{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"grow"}}\n}'
    async with scripted(watchdog, "--mode", "grow") as upstream:
        assert (await upstream.call(hidden))["x"]["method"] == "tools/call"
        await upstream.channel.notify("notifications/x", hidden.encode())
        upstream.channel.respond(b'{"jsonrpc":"2.0","id":"none","result":%b}' % hidden.encode())
        assert await upstream.call("7") == 7
        assert (upstream.inbound, upstream.channel.unclaimed) == ([], 0)


async def test_messages_of_megabytes_pass_both_ways(watchdog: Watchdog) -> None:
    async with scripted(watchdog) as upstream:
        text = "x" * (6 << 20)
        assert await upstream.call(json.dumps(text)) == text


# What comes unasked


async def test_requests_of_the_child_are_answered(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "sample") as upstream:
        call = asyncio.create_task(upstream.call())
        await until(lambda: bool(upstream.inbound))
        asked = upstream.inbound[0]
        assert (asked.method, asked.is_request) == ("sampling/createMessage", True)
        upstream.channel.respond(success(asked.id, b'{\n"model":"m"}'))
        assert await call == {"model": "m"}


async def test_news_of_a_subscription_go_to_who_subscribed(watchdog: Watchdog) -> None:
    flags = ("--era", "stateless", "--mode", "grow")
    async with scripted(watchdog, *flags, revision="2026-07-28") as upstream:
        heard: list[Envelope] = []
        listen = Request(
            "subscriptions/listen", f'{{"_meta":{META}}}'.encode(), float("inf"), sink=heard.append
        )
        listening = asyncio.create_task(upstream.channel.request(listen))
        await until(lambda: len(heard) == 1)
        await upstream.call(tool="grow")
        assert [each.method for each in heard] == [
            "notifications/subscriptions/acknowledged",
            "notifications/tools/list_changed",
        ]
        listening.cancel()
        await asyncio.wait((listening,))
        await upstream.call(tool="grow")
        assert (len(heard), upstream.inbound) == (2, [])


async def test_resources_of_a_stateless_child_are_watched_by_one_request_after_the_other(
    watchdog: Watchdog,
) -> None:
    flags = ("--era", "stateless", "--resources", "2")
    async with scripted(watchdog, *flags, revision="2026-07-28") as upstream:
        upstream.channel.meta = META.encode()
        assert await upstream.channel.watch(frozenset({"a:1"})) == {"a:1"}
        assert await upstream.channel.watch(frozenset({"a:1", "a:2"})) == {"a:1", "a:2"}
        assert await upstream.channel.watch(frozenset()) == frozenset()
        assert upstream.inbound == [], "acknowledgements are for who asked"


async def test_a_child_that_ends_a_subscription_is_asked_again_and_may_have_been_missed(
    watchdog: Watchdog,
) -> None:
    code = (
        "import json\n"
        "for line in sys.stdin:\n"
        "    message = json.loads(line)\n"
        "    wanted = message.get('params', {}).get('notifications', {})\n"
        "    if 'resourceSubscriptions' not in wanted: continue\n"
        "    params = {'notifications': wanted, '_meta': {'io.modelcontextprotocol/subscriptionId': message['id']}}\n"
        "    say = {'jsonrpc': '2.0', 'method': 'notifications/subscriptions/acknowledged', 'params': params}\n"
        "    print(json.dumps(say), flush=True)\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': message['id'], 'result': {}}), flush=True)\n"
    )
    async with started(watchdog, inline(code)) as upstream:
        missed: list[None] = []
        upstream.channel.on_missed = lambda: missed.append(None)
        upstream.channel.adopt("2026-07-28")
        assert await upstream.channel.watch(frozenset({"a:1"})) == {"a:1"}
        await until(lambda: len(missed) == 1)


async def test_a_child_whose_resources_cannot_be_watched_says_so(watchdog: Watchdog) -> None:
    refuse = '{"jsonrpc":"2.0","id":"listen-%d","error":{"code":-32601,"message":"no"}}'
    code = f"n=0\nfor _ in sys.stdin: n+=1; print({refuse!r} % n, flush=True)"
    async with started(watchdog, inline(code)) as upstream:
        upstream.channel.adopt("2026-07-28")
        with pytest.raises(RpcError, match="no"):
            await upstream.channel.watch(frozenset({"a:1"}))


async def test_a_child_may_end_a_subscription_without_an_answer(watchdog: Watchdog) -> None:
    cancelled = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    code = f"sys.stdin.readline(); print({cancelled!r}, flush=True); sys.stdin.read()"
    async with started(watchdog, inline(code)) as upstream:
        upstream.channel.adopt("2026-07-28")
        with pytest.raises(UpstreamError, match="ended the request") as caught:
            await upstream.channel.request(Request("subscriptions/listen", timeout=20))
        assert caught.value.reason is Reason.STREAM_LOST


async def test_what_a_handshake_child_cancels_is_a_request_of_its_own(watchdog: Watchdog) -> None:
    cancelled = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    answer = '{"jsonrpc":"2.0","id":1,"result":{}}'
    code = f"sys.stdin.readline(); print({cancelled!r}); print({answer!r}, flush=True); sys.stdin.read()"
    async with started(watchdog, inline(code)) as upstream:
        upstream.channel.adopt("2025-11-25")
        assert await upstream.channel.request(Request("ping", timeout=20))
        assert [each.method for each in upstream.inbound] == ["notifications/cancelled"]


async def test_a_storm_of_changes_does_not_hold_up_a_call(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "storm") as upstream, scripted(watchdog) as other:
        await until(lambda: len(upstream.inbound) > 10_000, 20)
        assert await upstream.call("1") == 1
        assert await asyncio.gather(*(other.call(str(number)) for number in range(50))) == list(range(50))


# Noise


async def test_noise_on_stdout_is_skipped_and_counted(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(watchdog, "--mode", "noise") as upstream:
        for number in range(20):
            assert await upstream.call(str(number)) == number
        assert upstream.channel.noise == 1 + 21 * 3
        told = [record for record in caplog.records if "is no message" in record.message]
        assert len(told) == 5


async def test_a_flood_of_noise_harms_nobody_else(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "noise-flood") as upstream, scripted(watchdog) as other:
        await until(lambda: upstream.channel.noise > 100_000, 20)
        for number in range(100):
            assert await other.call(str(number)) == number
        assert await upstream.call("7") == 7


async def test_a_flood_on_stderr_is_drained_and_bounded(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "stderr-flood") as upstream:
        for number in range(100):
            assert await upstream.call(str(number)) == number
        assert len(upstream.channel.stderr_tail) in (100, 101)  # with or without a line under way
        assert 0 < len(upstream.stderr) < 1000


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":"1","result":{}}',
        b'{"jsonrpc":"2.0","id":999,"result":{}}',
        b'{"jsonrpc":"2.0","id":9223372036854775808,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}',
    ],
)
async def test_answers_to_nobody_are_counted(watchdog: Watchdog, line: bytes) -> None:
    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    code = f"sys.stdin.readline(); os.write(1, {line + bytes([10]) + answer!r}); sys.stdin.read()"
    async with started(watchdog, inline(code)) as upstream:
        assert await upstream.channel.request(Request("ping", timeout=20))
        assert (upstream.channel.unclaimed, upstream.channel.noise) == (1, 0)


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"1.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1.0,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":NaN}',
        b'{"jsonrpc":"2.0","id":1,"result":"\xff"}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"jsonrpc":"2.0","id":1}',
        b"[]",
        b'"x"',
        b"\x1b[31m{\x1b[0m",
    ],
)
async def test_what_is_no_message_disturbs_nothing(watchdog: Watchdog, line: bytes) -> None:
    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
    code = f"import time\nsys.stdin.readline(); sys.stdout.buffer.write({line + bytes([10]) + answer!r}); sys.stdout.flush(); sys.stdin.read()"
    async with started(watchdog, inline(code)) as upstream:
        assert bytes((await upstream.channel.request(Request("ping", timeout=20))).result) == b"{}"
        assert upstream.channel.noise == 1


async def test_a_string_id_a_foreign_id_and_a_second_answer_are_all_dropped(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "wrong-ids") as upstream:
        assert await upstream.call("5") == 5
        await until(lambda: upstream.channel.unclaimed == 6)


async def test_an_array_is_a_message_only_where_the_revision_has_it(watchdog: Watchdog) -> None:
    batch = '[{"jsonrpc":"2.0","method":"a"},1,{"jsonrpc":"2.0","id":1,"result":{}}]'
    code = f"sys.stdin.readline(); print({batch!r}, flush=True); sys.stdin.read()"
    async with started(watchdog, inline(code)) as upstream:
        upstream.channel.adopt("2025-03-26")
        assert await upstream.channel.request(Request("ping", timeout=20))
        assert ([each.method for each in upstream.inbound], upstream.channel.noise) == (["a"], 1)
    async with started(watchdog, inline(code)) as upstream:
        upstream.channel.adopt("2025-06-18")
        with pytest.raises(UpstreamError, match="within"):
            await upstream.channel.request(Request("ping", timeout=0.5))
        assert (upstream.inbound, upstream.channel.noise) == ([], 1)


async def test_a_defect_in_a_receiver_costs_its_message_only(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Envelope) -> None:
        raise ZeroDivisionError

    launch = Launch("one", tuple(command("--mode", "talk")), dict(os.environ))
    channel = await StdioChannel.open(launch, broken, watchdog, limits=QUICK)
    assert await Upstream(channel).call("3") == 3
    await channel.aclose()
    assert "could not be handled" in caplog.text


# Too long


@pytest.mark.parametrize("mode", ["huge-line", "huge-line-last"])
async def test_an_answer_of_20_mib_fails_its_own_request_and_no_other(watchdog: Watchdog, mode: str) -> None:
    code = f"""
lines = [sys.stdin.readline(), sys.stdin.readline()]
filler = b'x' * (20 << 20)
if {mode == "huge-line"}:
    data = b'{{"jsonrpc":"2.0","id":2,"result":{{"id":1,"x":"' + filler + b'"}}}}\\n'
else:
    data = b'{{"result":{{"id":1,"x":"' + filler + b'"}},"jsonrpc":"2.0","id":2}}\\n'
sys.stdout.buffer.write(data + b'{{"jsonrpc":"2.0","id":1,"result":{{}}}}\\n')
sys.stdout.flush()
sys.stdin.read()
"""
    async with started(watchdog, inline(code)) as upstream:
        other = asyncio.create_task(upstream.channel.request(Request("a", timeout=20)))
        await until(lambda: "1 in flight" in repr(upstream.channel))
        with pytest.raises(UpstreamError, match="answered with more than 16 MiB") as caught:
            await upstream.channel.request(Request("b", timeout=20))
        assert (caught.value.reason, caught.value.ran) == (Reason.TOO_LARGE, True)
        assert bytes((await other).result) == b"{}"
        assert upstream.channel.oversized == 1


async def test_a_huge_line_that_tells_no_id_fails_the_only_request(watchdog: Watchdog) -> None:
    code = "sys.stdin.readline(); sys.stdout.write('x' * 3000000 + chr(10)); sys.stdout.flush(); sys.stdin.read()"
    limits = Limits(line=1 << 20, patience=0.1)
    async with started(watchdog, inline(code), limits) as upstream:
        with pytest.raises(UpstreamError, match="answered with more than 1 MiB"):
            await upstream.channel.request(Request("a", timeout=20))


async def test_a_line_without_an_end_ends_the_channel(watchdog: Watchdog) -> None:
    limits = Limits(line=1 << 20, patience=0.1)
    async with scripted(watchdog, "--mode", "endless-line", limits=limits) as upstream:
        with pytest.raises(UpstreamError, match="wrote a line without an end"):
            await upstream.call()
        assert await ended(upstream) == "wrote a line without an end"


# Giving up


async def test_a_call_that_is_given_up_is_cancelled_at_the_child(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "hang-call") as upstream:
        with pytest.raises(UpstreamError, match=r"did not answer within 0\.1 s"):
            await upstream.call(timeout=0.1)
        call = asyncio.create_task(upstream.call())
        await until(lambda: "1 in flight" in repr(upstream.channel))
        call.cancel()
        await asyncio.wait((call,))
        assert await upstream.call(tool="cancelled") == 2


async def test_nothing_is_cancelled_before_the_revision_is_agreed(watchdog: Watchdog) -> None:
    async with started(watchdog, ["/bin/cat"]) as upstream:
        with pytest.raises(UpstreamError, match="did not answer"):
            await upstream.channel.request(Request("initialize", timeout=0.1))
        assert [each.method for each in upstream.inbound] == ["initialize"]  # cat echoes


async def test_a_child_that_stops_reading_fills_no_memory(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "deaf") as upstream:
        await upstream.channel.request(Request("tools/list", timeout=20))
        text = json.dumps("x" * (1 << 20))
        calls = [asyncio.create_task(upstream.call(text)) for _ in range(16)]
        await until(lambda: sum(call.done() for call in calls) >= 10)
        waiting = [call for call in calls if not call.done()]
        refused = [call.exception() for call in calls if call.done()]
        assert 4 <= len(waiting) <= 6
        for error in refused:
            assert isinstance(error, UpstreamError)
            assert (error.reason, error.ran) == (Reason.OVERLOADED, False)
        with pytest.raises(UpstreamError, match="MiB of messages unread"):
            await upstream.channel.notify("notifications/x")
        upstream.channel.respond(b"{}")
        await upstream.channel.aclose()
        assert all(
            isinstance(error, UpstreamError)
            for error in await asyncio.gather(*waiting, return_exceptions=True)
        )


async def test_too_many_requests_are_refused_unsent(watchdog: Watchdog) -> None:
    limits = Limits(in_flight=2, patience=0.1)
    async with scripted(watchdog, "--mode", "hang-call", limits=limits) as upstream:
        waiting = [asyncio.create_task(upstream.call()) for _ in range(2)]
        await until(lambda: "2 in flight" in repr(upstream.channel))
        with pytest.raises(UpstreamError, match="2 requests unanswered"):
            await upstream.call()
        await upstream.channel.aclose()
        await asyncio.gather(*waiting, return_exceptions=True)


# The end


@pytest.mark.parametrize(
    ("death", "why"),
    [
        ("os.write(2, b'out of luck'); os._exit(4)", 'exited with status 4; last words: "out of luck"'),
        ("os.kill(os.getpid(), 11); time.sleep(600)", "was ended by signal SIGSEGV"),
    ],
)
async def test_a_death_fails_all_that_wait_and_says_how(watchdog: Watchdog, death: str, why: str) -> None:
    async with started(watchdog, inline(f"sys.stdin.readline(); sys.stdin.readline(); {death}")) as upstream:
        outcomes = await asyncio.gather(upstream.call(), upstream.call(), return_exceptions=True)
        for error in outcomes:
            assert isinstance(error, UpstreamError)
            assert (error.reason, error.what, error.ran) == (Reason.EXITED, why, True)
        assert await ended(upstream) == why
        with pytest.raises(UpstreamError) as caught:
            await upstream.call()
        assert (caught.value.reason, caught.value.ran) == (Reason.EXITED, False)


async def test_a_death_in_a_call_is_told_with_the_last_words(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "die-call") as upstream:
        with pytest.raises(
            UpstreamError, match='exited with status 4; last words: "scripted: died in a call"'
        ):
            await upstream.call()


async def test_a_crash_at_the_start_tells_the_last_words(watchdog: Watchdog) -> None:
    async with started(watchdog, command("--mode", "crash-start")) as upstream:
        words = 'exited with status 3; last words: "scripted: cannot find its database"'
        with pytest.raises(UpstreamError, match="cannot find its database"):
            await upstream.channel.request(Request("initialize"))
        assert await ended(upstream) == words
        assert upstream.stderr == ["scripted: cannot find its database"]


async def test_answers_written_before_the_exit_are_delivered(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "answer-and-die") as upstream:
        text = "x" * (1 << 20)
        assert await upstream.call(json.dumps(text)) == text
        assert await ended(upstream) == "exited with status 5"


async def test_an_answer_without_a_line_end_at_the_exit_is_one(watchdog: Watchdog) -> None:
    code = """sys.stdin.readline(); os.write(1, b'{"jsonrpc":"2.0","id":1,"result":{}}')"""
    async with started(watchdog, inline(code)) as upstream:
        assert await upstream.channel.request(Request("ping", timeout=20))


async def test_the_end_is_seen_although_a_grandchild_holds_stdout(watchdog: Watchdog) -> None:
    async with scripted(watchdog, "--mode", "daemon", "--mode", "die-call") as upstream:
        async with asyncio.timeout(10):
            with pytest.raises(UpstreamError, match="exited with status 4"):
                await upstream.call(timeout=600)


@pytest.mark.parametrize(
    ("code", "why"),
    [("os.close(1)", "closed its output"), ("os.close(0)", "does not read its input any more")],
)
async def test_a_child_that_closes_a_stream_is_of_no_use(watchdog: Watchdog, code: str, why: str) -> None:
    # uvloop leaves a child second descriptors of its own streams.
    announce = "os.closerange(3, 99); os.write(2, b'done\\n'); time.sleep(600)"
    async with started(watchdog, inline(f"{code}; {announce}")) as upstream:
        await until(lambda: upstream.stderr == ["done"])

        async def refused() -> str:
            try:
                await upstream.channel.request(Request("ping", timeout=0.05))
            except UpstreamError as error:
                return error.what
            return ""

        async with asyncio.timeout(10):
            while await refused() != why:
                pass


async def test_closing_leaves_nothing_behind(watchdog: Watchdog) -> None:
    flags = ("--mode", "stay", "--mode", "grandchild", "--mode", "daemon", "--mode", "hang-call")
    async with scripted(watchdog, *flags) as upstream:
        mark = next(iter(watchdog.environment(upstream.channel._tag).values()))
        assert len(carrying(mark)) == 3
        call = asyncio.create_task(upstream.call(timeout=600))
        await until(lambda: "1 in flight" in repr(upstream.channel))
        await asyncio.gather(upstream.channel.aclose(), upstream.channel.aclose())
        assert carrying(mark) == []
        with pytest.raises(UpstreamError, match="was stopped"):
            await call
        assert upstream.channel.closed.done()


async def test_many_children_stop_side_by_side(watchdog: Watchdog) -> None:
    launch = Launch("one", tuple(command("--mode", "stay")), dict(os.environ))
    limits = Limits(patience=0.3)
    channels = [await StdioChannel.open(launch, lambda _: None, watchdog, limits=limits) for _ in range(6)]
    for channel in channels:
        await channel.request(Request("ping", timeout=20))
    async with asyncio.timeout(3):
        await asyncio.gather(*(channel.aclose() for channel in channels))


async def test_a_child_that_cannot_start_is_not_guarded_any_more(watchdog: Watchdog) -> None:
    with pytest.raises(UpstreamError, match="was not found on PATH"):
        await StdioChannel.open(Launch("one", ("nowhere",), {}), lambda _: None, watchdog)
    assert watchdog._pids == {}


async def test_an_answer_for_a_closed_channel_is_dropped(watchdog: Watchdog) -> None:
    async with scripted(watchdog) as upstream:
        await upstream.channel.aclose()
        upstream.channel.respond(success(Raw(b"1"), b"{}"))
        with pytest.raises(UpstreamError, match="was stopped"):
            await upstream.channel.notify("notifications/x")
