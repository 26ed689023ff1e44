"""A runtime over scripted upstreams."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from tests.support.channels import IDENTITY, Upstreams, spec

from onemcp.core.spec import RestartPolicy, UpstreamSpec
from onemcp.gateway.runtime import Options, Runtime

Running = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture
def running() -> Running:
    """`async with running(upstreams, **options) as runtime`: all upstreams started; `specs=` to say which."""

    @asynccontextmanager
    async def run(
        upstreams: Upstreams, *, specs: list[UpstreamSpec] | None = None, settle: bool = True, **options: Any
    ) -> AsyncIterator[Runtime]:
        options.setdefault("async_loading", True)
        options.setdefault("batch_delay", 0.0)
        options.setdefault("call_wait", 5.0)
        fast = RestartPolicy(first_delay=0.001, max_delay=0.002)
        async with Runtime(Options(**options), upstreams.open, IDENTITY) as runtime:
            await runtime.apply(specs or [spec(name, restart=fast) for name in upstreams.scripts])
            if settle:
                await runtime.settled()
            yield runtime

    return run
