"""Finding out which era an upstream speaks."""

from typing import Any

import pytest
from tests.support.channels import IDENTITY, Failure, Script, ScriptedChannel, handshake, stateless

from onemcp.errors import Reason, UpstreamError
from onemcp.upstream.connection import Connection
from onemcp.upstream.negotiate import Manner, negotiate
from onemcp.wire.envelope import open_object
from onemcp.wire.revisions import Era

pytestmark = pytest.mark.anyio


async def agree(script: Script, **manner: object) -> tuple[Connection, ScriptedChannel]:
    channel = ScriptedChannel(script, lambda _: None)
    connection = await negotiate(channel, Manner("s", 5.0, **manner), IDENTITY)  # type: ignore[arg-type] # keywords of each test
    return connection, channel


async def test_a_discover_result_settles_it() -> None:
    connection, channel = await agree(stateless("a", instructions="x"))
    assert connection.era is Era.STATELESS
    assert connection.revision == channel.revision == "2026-07-28"
    assert [request.method for request in channel.asked] == ["server/discover"]
    meta = open_object(open_object(channel.asked[0].params)["_meta"])
    assert bytes(meta["io.modelcontextprotocol/clientCapabilities"]) == b"{}"


@pytest.mark.parametrize("code", [-32601, -32602, -32000, 0])
async def test_another_error_means_a_handshake_on_the_same_channel(code: int) -> None:
    connection, channel = await agree(handshake("a") | {"server/discover": Failure(code)})
    assert connection.era is Era.HANDSHAKE
    assert [request.method for request in channel.asked] == ["server/discover", "initialize"]
    assert channel.sent == [b"notifications/initialized"]


async def test_silence_means_a_handshake() -> None:
    silence = UpstreamError("s", Reason.TIMEOUT, "no answer")
    connection, _ = await agree(handshake("a") | {"server/discover": silence})
    assert connection.era is Era.HANDSHAKE


async def test_a_discover_result_without_a_stateless_revision_means_a_handshake() -> None:
    connection, _ = await agree(handshake("a") | {"server/discover": {"supportedVersions": ["2025-11-25"]}})
    assert connection.era is Era.HANDSHAKE


@pytest.mark.parametrize("code", [-32020, -32021, -32022])
async def test_a_stateless_error_is_not_taken_for_a_handshake_server(code: int) -> None:
    with pytest.raises(UpstreamError, match=str(code)):
        await agree(handshake("a") | {"server/discover": Failure(code)})


def refusing(*supported: str, then: object = None) -> Any:
    """Answers the first request with an error that names the revisions it speaks, and later ones as said."""
    answers = iter([Failure(-32022, "no", {"supported": list(supported), "requested": "2026-07-28"})])
    return lambda _: next(answers, then)


async def test_one_that_names_our_revision_in_its_refusal_is_asked_again_at_once() -> None:
    script = stateless("a")
    script["server/discover"] = refusing("2026-07-28", then=script["server/discover"])
    connection, channel = await agree(script)
    assert connection.era is Era.STATELESS
    assert [request.method for request in channel.asked] == ["server/discover"] * 2


async def test_one_that_refuses_again_is_not_asked_for_ever() -> None:
    again = Failure(-32022, "no", {"supported": ["2026-07-28"]})
    with pytest.raises(UpstreamError, match="-32022"):
        await agree(stateless("a") | {"server/discover": again})


async def test_one_that_only_names_handshake_revisions_is_shaken_hands_with() -> None:
    connection, channel = await agree(
        handshake("a") | {"server/discover": refusing("2025-11-25", "2025-06-18")}
    )
    assert connection.era is Era.HANDSHAKE
    assert [request.method for request in channel.asked] == ["server/discover", "initialize"]


@pytest.mark.parametrize("data", [None, [], {"supported": 1}, {"supported": [1]}, {"supported": ["1999"]}])
async def test_a_refusal_that_names_nothing_of_ours_is_final(data: object) -> None:
    with pytest.raises(UpstreamError, match="-32022"):
        await agree(handshake("a") | {"server/discover": Failure(-32022, "no", data)})


async def test_a_lost_channel_is_no_answer_about_the_era() -> None:
    gone = UpstreamError("s", Reason.EXITED, "exited")
    with pytest.raises(UpstreamError, match="exited"):
        await agree(handshake("a") | {"server/discover": gone})


async def test_a_known_era_is_not_asked_for_again() -> None:
    _, channel = await agree(handshake("a"), known=Era.HANDSHAKE)
    assert [request.method for request in channel.asked] == ["initialize"]


async def test_a_pinned_revision_is_the_one_that_is_offered() -> None:
    script = handshake("a")
    script["initialize"] = {**script["initialize"], "protocolVersion": "2025-03-26"}
    connection, channel = await agree(script, pinned="2025-03-26")
    assert connection.revision == "2025-03-26"
    assert b'"protocolVersion":"2025-03-26"' in channel.asked[0].params


async def test_a_pinned_stateless_revision_never_falls_back() -> None:
    with pytest.raises(UpstreamError, match="-32601"):
        await agree(handshake("a"), pinned="2026-07-28")


async def test_an_older_handshake_revision_is_accepted_and_an_unknown_one_is_not() -> None:
    script = handshake("a")
    script["initialize"] = {**script["initialize"], "protocolVersion": "2024-11-05"}
    connection, _ = await agree(script)
    assert connection.revision == "2024-11-05"
    script["initialize"] = {**script["initialize"], "protocolVersion": "1999-01-01"}
    with pytest.raises(UpstreamError, match="1999-01-01"):
        await agree(script)


async def test_the_gateway_recognises_itself() -> None:
    script = handshake("a")
    script["initialize"] = {**script["initialize"], "_meta": {"onemcp/instance": IDENTITY.instance}}
    with pytest.raises(UpstreamError, match="is this gateway itself"):
        await agree(script)
