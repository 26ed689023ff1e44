"""What stands in front of the gateway: the proxies that it believes."""

from onemcp.config.settings import Settings
from onemcp.errors import ConfigError, Problem
from onemcp.web.forwarded import TAKES, Trust


def trusted(settings: Settings) -> Trust:
    """The proxies whose headers are believed.

    Raises:
        ConfigError: a word of `--trust-proxy` means nothing.
    """
    try:
        return Trust.parse(settings.trust_proxy)
    except ValueError as error:
        place = settings.origins.get("trust_proxy", "")
        problem = Problem(f"{error} is no proxy to trust", f"it takes {TAKES}", key=place.rpartition(" ")[2])
        raise ConfigError(problem) from None
