"""Just after an answer, what comes may still be about the call that it answered."""

import pytest
from tests.gateway.test_backchannel import ctx, message, request, session

from onemcp.gateway.backchannel import Backchannel
from onemcp.gateway.line import ECHO, Line

pytestmark = pytest.mark.anyio


def test_somebody_else_s_answer_is_remembered_for_a_moment() -> None:
    line = Line[str]("a")
    line.answered["one"] = 0.0
    assert line.echoes_of_others("other", ECHO - 0.1)
    assert not line.echoes_of_others("one", 0.1)
    assert not line.echoes_of_others("other", ECHO)


def test_what_is_no_moment_ago_is_forgotten() -> None:
    line = Line[str]("a")
    line.answered.update(one=0.0, other=ECHO)
    line.prune(ECHO)
    assert line.answered == {"other": ECHO}
    line.calls.add("a call")
    line.prune(2 * ECHO)
    assert not line.is_blank
    line.calls.clear()
    assert line.is_blank


async def test_a_late_word_about_one_client_s_call_is_not_taken_for_another_s() -> None:
    backchannel, heard, answered = Backchannel(), list[bytes](), list[bytes]()
    first, second = session(), session()
    backchannel.end(backchannel.begin("a", ctx([], "debug", first), answered.append, 60.0))
    call = backchannel.begin("a", ctx(heard, "debug", second), answered.append, 60.0)
    backchannel.take("a", message("error"), answered.append)
    backchannel.take("a", request(), answered.append)
    assert heard == []
    assert b"just answered" in answered[0]
    backchannel.end(call)
    call = backchannel.begin("b", ctx(heard, "debug", second), answered.append, 60.0)
    backchannel.take("b", message("error"), answered.append)
    assert len(heard) == 1
    backchannel.end(call)


async def test_one_client_s_own_calls_follow_each_other_undisturbed() -> None:
    backchannel, heard = Backchannel(), list[bytes]()
    client = session()
    for _ in range(3):
        call = backchannel.begin("a", ctx(heard, "debug", client), lambda _: None, 60.0)
        backchannel.take("a", message("error"), lambda _: None)
        backchannel.end(call)
    assert len(heard) == 3
