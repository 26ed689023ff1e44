"""The sealed state: good for what it was given for, and for nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from onemcp.core.access import Principal, View
from onemcp.core.catalog import Route
from onemcp.errors import RpcError, UpstreamError
from onemcp.gateway.context import CallContext
from onemcp.gateway.continuation import MAX_RELAYED, Again, Continuations, Parked, Relayed, Subject
from onemcp.seal.keyring import Keyring
from onemcp.wire.envelope import encode
from onemcp.wire.revisions import Era

CTX = CallContext(Era.STATELESS, "2026-07-28", View())
SUBJECT = Subject(CTX, "tools/call", Route("a", "t", Raw(b'"t"'), "a_1mcp_t"), Raw(b'{"x":1,"y":[2.0]}'))


@pytest.fixture
def continuations() -> Continuations:
    return Continuations(Keyring.ephemeral(), "this")


def raw(token: str) -> Raw:
    return Raw(encode(token))


def test_a_state_opens_to_what_it_was(continuations: Continuations) -> None:
    parked = continuations.open(SUBJECT, raw(continuations.parked(SUBJECT, 3, 2)))
    assert isinstance(parked, Parked)
    assert (parked.number, parked.round) == (3, 2)
    assert isinstance(continuations.open(SUBJECT, raw(continuations.again(SUBJECT))), Again)
    relayed = continuations.open(SUBJECT, continuations.relayed(SUBJECT, Raw(b'"theirs \\u00e9"')))
    assert isinstance(relayed, Relayed)
    assert relayed.state == "theirs é"


FOREIGN = [
    replace(SUBJECT, ctx=structs.replace(CTX, endpoint="a")),
    replace(SUBJECT, ctx=structs.replace(CTX, principal=Principal(subject="somebody"))),
    replace(SUBJECT, ctx=structs.replace(CTX, principal=Principal(client_id="else"))),
    replace(SUBJECT, method="prompts/get"),
    replace(SUBJECT, route=Route("b", "t", Raw(b'"t"'), "b_1mcp_t")),
    replace(SUBJECT, route=Route("a", "u", Raw(b'"u"'), "a_1mcp_u")),
    replace(SUBJECT, arguments=Raw(b'{"x":1,"y":[3.0]}')),
    replace(SUBJECT, arguments=Raw(b"{}")),
]


@pytest.mark.parametrize("subject", FOREIGN)
def test_for_another_request_it_is_refused_like_a_forged_one(
    continuations: Continuations, subject: Subject
) -> None:
    texts = set()
    states = [
        raw(continuations.parked(SUBJECT, 1, 1)),
        raw(continuations.again(SUBJECT)),
        continuations.relayed(SUBJECT, Raw(b'"s"')),
        raw("v1.forged"),
        Raw(b"5"),
    ]
    for state in states:
        with pytest.raises(RpcError) as caught:
            continuations.open(subject, state)
        texts.add((caught.value.code, caught.value.status, caught.value.message))
    assert len(texts) == 1
    assert "call again without it" in str(texts)


def test_the_order_of_arguments_is_no_difference(continuations: Continuations) -> None:
    state = raw(continuations.parked(SUBJECT, 1, 1))
    same = replace(SUBJECT, arguments=Raw(b'{ "y": [ 2.0 ], "x": 1 }'))
    assert isinstance(continuations.open(same, state), Parked)


def test_a_later_process_knows_what_is_kept_by_others_only() -> None:
    ring = Keyring.ephemeral()
    before, after = Continuations(ring, "before"), Continuations(ring, "after")
    with pytest.raises(RpcError):
        after.open(SUBJECT, raw(before.parked(SUBJECT, 1, 1)))
    assert isinstance(after.open(SUBJECT, before.relayed(SUBJECT, Raw(b'"s"'))), Relayed)
    assert isinstance(after.open(SUBJECT, raw(before.again(SUBJECT))), Again)


def test_one_that_has_expired_is_refused() -> None:
    continuations = Continuations(Keyring.ephemeral(), "this", lifetime=-1.0)
    for state in (raw(continuations.again(SUBJECT)), continuations.relayed(SUBJECT, Raw(b'"s"'))):
        with pytest.raises(RpcError):
            continuations.open(SUBJECT, state)


def test_every_changed_character_is_noticed(continuations: Continuations) -> None:
    token = continuations.parked(SUBJECT, 1, 1)
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(RpcError):
            continuations.open(SUBJECT, raw(changed))
    with pytest.raises(RpcError):
        continuations.open(SUBJECT, raw(token + "-TAMPERED"))


def test_a_state_of_64_kib_passes(continuations: Continuations) -> None:
    state = "é" * (32 * 1024)
    opened = continuations.open(SUBJECT, continuations.relayed(SUBJECT, raw(state)))
    assert isinstance(opened, Relayed)
    assert opened.state == state


@pytest.mark.parametrize("state", [b"5", b"null", b'{"a":1}', b'"%b"' % (b"x" * (MAX_RELAYED + 1))])
def test_one_that_is_no_text_or_too_long_is_the_upstream_s_fault(
    continuations: Continuations, state: bytes
) -> None:
    with pytest.raises(UpstreamError, match="a: answered with a requestState"):
        continuations.relayed(SUBJECT, Raw(state))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values, st.randoms())
def test_a_binding_is_of_the_value_and_not_of_its_spelling(value: Any, random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = list(value)
            random.shuffle(names)
            return {name: shuffled(value[name]) for name in names}
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    def binding(text: str) -> str:
        return replace(SUBJECT, arguments=Raw(text.encode())).binding

    compact = json.dumps(value, separators=(",", ":"))
    within = all(abs(number) < 2**63 for number in _integers(value))
    if within:
        assert binding(compact) == binding(json.dumps(shuffled(value), indent=1))
    assert binding(compact) != binding(json.dumps([value]))


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [each for member in value.values() for each in _integers(member)]
    if isinstance(value, list):
        return [each for member in value for each in _integers(member)]
    return [value] if isinstance(value, int) else []


def test_arguments_beyond_any_number_type_are_bound_as_they_stand() -> None:
    one = replace(SUBJECT, arguments=Raw(b'{"x":1e400}'))
    other = replace(SUBJECT, arguments=Raw(b'{"x":1e401}'))
    assert one.binding != other.binding
