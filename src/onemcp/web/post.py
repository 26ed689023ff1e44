"""One POST on its way through the edge: what came and where the answer goes."""

from msgspec import Struct

from onemcp.web.exchange import Exchange
from onemcp.web.http.request import Request
from onemcp.web.http.response import Response
from onemcp.web.views import Narrowing


class Post(Struct, eq=False):
    """A request that is taken as far as its HTTP side goes."""

    request: Request
    response: Response
    exchange: Exchange
    narrowing: Narrowing
    endpoint: str
