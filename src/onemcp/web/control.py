"""The control API's HTTP side, for its unix socket."""

from onemcp.ops.control import ControlApi
from onemcp.web.answers import answer_json
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response


class ControlApp:
    """Answers the command line."""

    def __init__(self, api: ControlApi) -> None:
        self._api = api

    async def __call__(self, request: Request, response: Response) -> None:
        """Answer one request."""
        status, document = await self._api.answer(request.method, request.path, request.query, request.body)
        answer_json(response, status, document)
