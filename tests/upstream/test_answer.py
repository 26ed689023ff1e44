import pytest
from hypothesis import given
from hypothesis import strategies as st

from onemcp.net.fault import Fault, HttpError
from onemcp.net.response import Stream
from onemcp.upstream.answer import Answer
from onemcp.wire.envelope import Envelope

pytestmark = pytest.mark.anyio


class Valve:
    """What becomes of a connection."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def abort(self) -> None:
        self.done.append("abort")

    def drain(self) -> None:
        self.done.append("drain")


def stream_of(*chunks: bytes, error: HttpError | None = None) -> tuple[Stream, Valve]:
    valve = Valve()
    stream = Stream(valve)
    for chunk in chunks:
        stream.feed(chunk)
    stream.end(error)
    return stream, valve


WIRE = (
    b"id: 1\nretry: 250\ndata:\n\n"
    b'event: message\nid: 2\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n'
    b": comment\n\n"
    b'data: {"jsonrpc":"2.0","id":8,"result":"other"}\n\n'
    b'data: {"jsonrpc":"2.0","id":7,"result":{"text":"\xc3\xa4"}}\n\n'
)


@given(st.lists(st.integers(0, len(WIRE)), max_size=20))
async def test_an_answer_is_found_however_the_stream_is_cut(cuts: list[int]) -> None:
    edges = sorted({0, len(WIRE), *cuts})
    chunks = [WIRE[edges[at] : edges[at + 1]] for at in range(len(edges) - 1)]
    heard: list[Envelope] = []
    answer = Answer(7, heard.append, 1000)
    reply = await answer.follow(stream_of(*chunks)[0])
    assert reply is not None
    assert bytes(reply.result) == '{"text":"ä"}'.encode()
    assert [message.method for message in heard] == ["notifications/progress"]
    assert (answer.last_event_id, answer.retry, answer.strays) == ("2", 0.25, 1)


async def test_a_stream_that_breaks_off_has_no_answer_and_a_late_one_is_an_error() -> None:
    answer = Answer(7, print, 1000)
    lost, _ = stream_of(b"id: x\ndata:\n\n", error=HttpError(Fault.LOST, "gone"))
    assert await answer.follow(lost) is None
    assert answer.last_event_id == "x"
    late, _ = stream_of(error=HttpError(Fault.TIMEOUT, "late"))
    with pytest.raises(HttpError):
        await answer.follow(late)


async def test_an_event_that_is_too_large_is_not_waited_for() -> None:
    with pytest.raises(HttpError) as refused:
        await Answer(7, print, 100).follow(stream_of(b"data: " + b"x" * 200 + b"\n\n")[0])
    assert refused.value.fault is Fault.TOO_LARGE
