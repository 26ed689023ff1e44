"""Beginning a lost session anew, once for all who noticed."""

import asyncio
from collections.abc import Awaitable, Callable

from onemcp.errors import Reason, RpcError, UpstreamError


class Renewal:
    """One renewal at a time: whoever comes while it runs waits for the same.

    `begin` gets the id of the session that is lost and does the work; if it fails, `on_failure` hears of it, and so
    do all who wait.
    """

    def __init__(
        self,
        server: str,
        begin: Callable[[str], Awaitable[None]],
        on_failure: Callable[[UpstreamError], None],
    ) -> None:
        self._server = server
        self._begin = begin
        self._on_failure = on_failure
        self._task: asyncio.Task[UpstreamError | None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a session is being begun just now."""
        return self._task is not None and not self._task.done()

    def start(self, session_id: str) -> None:
        """Begin, unless that is under way already."""
        if not self.is_running:
            self._task = asyncio.create_task(self._run(session_id))

    async def _run(self, session_id: str) -> UpstreamError | None:
        try:
            await self._begin(session_id)
        except UpstreamError as error:
            self._on_failure(error)
            return error
        except RpcError as error:
            failure = UpstreamError(
                self._server, Reason.PROTOCOL, f"answered what is not MCP: {error.message}"
            )
            self._on_failure(failure)
            return failure
        return None

    async def wait(self, deadline: float) -> None:
        """Wait, at most until `deadline` (loop time), for what runs.

        Raises:
            UpstreamError: it failed or took too long; whoever waits has not sent anything.
        """
        if self._task is None:
            return
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.wait((self._task,), timeout=max(left, 0))
        if not self._task.done():
            raise self._failure("did not begin a new session in time")
        if self._task.cancelled():
            raise self._failure("was disconnected")
        error = self._task.result()
        if error is not None:
            raise self._failure(f"has lost the session, and a new one could not be begun: {error.what}")

    def _failure(self, what: str) -> UpstreamError:
        return UpstreamError(self._server, Reason.SESSION_LOST, what, ran=False)

    async def aclose(self) -> None:
        """End what runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
