"""Which channel a spec gets, and what can be seen beforehand."""

from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec
from onemcp.errors import Problem
from onemcp.upstream.opener import unfitness

HERE = {"PATH": "/usr/bin:/bin"}


def test_a_missing_command_is_seen_before_it_is_started() -> None:
    found = unfitness(UpstreamSpec("s", StdioTransport(("no-such-command",))), HERE)
    assert found is not None
    assert str(found) == (
        'mcpServers.s: command "no-such-command" was not found on PATH; install it or give its full path'
    )


def test_a_secret_in_a_command_is_not_told() -> None:
    referred = (("SECRET:key", "canarybird"),)
    spec = UpstreamSpec("s", StdioTransport(("/opt/canarybird/run",)), referred=referred)
    found = unfitness(spec, HERE)
    assert found is not None
    assert "canarybird" not in str(found)


def test_what_can_start_has_no_fault() -> None:
    assert unfitness(UpstreamSpec("s", StdioTransport(("sh",))), HERE) is None
    assert unfitness(UpstreamSpec("s", HttpTransport("http://127.0.0.1:1/mcp")), HERE) is None


def test_a_disabled_entry_is_not_judged() -> None:
    assert unfitness(UpstreamSpec("s", StdioTransport(("no-such-command",)), disabled=True), HERE) is None


def test_the_fault_of_an_entry_is_its_own() -> None:
    fault = Problem("no url")
    assert unfitness(UpstreamSpec("s", None, fault=fault), HERE) is fault
