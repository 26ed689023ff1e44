"""The control API's HTTP side, for its unix socket."""

import asyncio
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qsl

from onemcp.ops.control import ControlApi
from onemcp.ops.drain import Drain, overdue
from onemcp.ops.logs.verbs import LogVerbs, RefusedError
from onemcp.web.answers import answer_json
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response

_LINES: Final = b"content-type: application/x-ndjson\r\ncache-control: no-store\r\n"


class ControlApp:
    """Answers the command line."""

    def __init__(self, api: ControlApi, drain: Drain, logs: LogVerbs) -> None:
        self._api = api
        self._drain = drain
        self._logs = logs

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request."""
        if (request.method, request.path) == ("GET", "/logs"):
            await self._lines(request, response)
            return
        if request.method == "POST":  # a call; what only looks is not waited for
            self._drain.begin(response.task)
        try:
            status, document = await self._api.answer(
                request.method, request.path, request.query, request.body
            )
        except asyncio.CancelledError:
            if not self._drain.absorbed(response.task):
                raise
            status, document = 503, {"error": overdue().message}
        finally:
            self._drain.end(response.task)
        answer_json(response, status, document)

    async def _lines(self, request: Request, response: Response) -> None:
        """The lines of the log, as they come."""
        response.on_gone(response.task.cancel)
        asked = dict(parse_qsl(request.query.decode("latin-1")))
        try:
            async with aclosing(self._logs.lines(asked)) as lines:
                async for some in lines:
                    if not response.started:
                        response.begin(200, _LINES)
                    response.write(some)
                    await response.drained()
        except RefusedError as error:
            answer_json(response, 400, {"error": str(error)})
            return
        if not response.started:
            response.begin(200, _LINES)
        response.end()
