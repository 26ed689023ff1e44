"""What the log is told of the gateway at a moment."""

import pytest
from tests.support.channels import IDENTITY, Upstreams, handshake, spec

from onemcp.gateway.runtime import Options, Runtime
from onemcp.ops.dump import Dump

pytestmark = pytest.mark.anyio


async def test_a_dump_while_the_gateway_is_put_together_has_the_tasks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Dump()()
    assert "the gateway is being put together" in caplog.text
    assert "dump: 1 task at " in caplog.text


async def test_a_dump_of_a_running_gateway_has_its_upstreams(caplog: pytest.LogCaptureFixture) -> None:
    dump = Dump()
    async with Runtime(Options(), Upstreams(a=handshake("x")).open, IDENTITY) as runtime:
        dump.runtime = runtime
        await runtime.apply([spec("a")])
        await runtime.settled()
        dump()
    assert "a: dump: ready for" in caplog.text
    assert "0 calls under way" in caplog.text
