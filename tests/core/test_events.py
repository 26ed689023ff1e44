"""Events are told to those who listen for their kind."""

from onemcp.core.events import ConfigReloaded, Events, UpstreamChanged


def test_an_event_is_told_to_those_who_listen_for_its_kind_in_their_order() -> None:
    events, heard = Events(), list[tuple[str, object]]()
    events.listen(ConfigReloaded, lambda event: heard.append(("first", event)))
    events.listen(UpstreamChanged, lambda event: heard.append(("other", event)))
    events.listen(ConfigReloaded, lambda event: heard.append(("second", event)))
    event = ConfigReloaded("mcp.json")
    events.emit(event)
    assert heard == [("first", event), ("second", event)]


def test_who_would_tell_can_ask_whether_anybody_listens() -> None:
    events = Events()
    assert not events.heard(ConfigReloaded)
    events.listen(ConfigReloaded, lambda _: None)
    assert events.heard(ConfigReloaded)
    assert not events.heard(UpstreamChanged)


def test_what_nobody_listens_for_is_no_error() -> None:
    Events().emit(ConfigReloaded("mcp.json", "no such file"))
