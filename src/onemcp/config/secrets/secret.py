"""`Secret`: a text that nobody reads by accident."""

import hashlib
import hmac
import os
from typing import Final, NoReturn, final

from onemcp.core.redact import SECRET

_KEY: Final = os.urandom(32)
"""Of this process: a digest of a short secret under a known key could be tried out."""


@final
class Secret:
    """A text that shows as `***` wherever it is printed, formatted or logged; `reveal` alone gives it.

    It cannot be pickled, copied or hashed, and no JSON encoder knows it. Two are compared in the same time whatever
    they hold.
    """

    __slots__ = ("__text",)
    __hash__ = None  # type: ignore[assignment]  # a set of them would be compared in a time that tells

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself. What becomes of it has to be hidden by whoever asks."""
        return self.__text

    def fingerprint(self) -> str:
        """Tells whether two are the same, within this process only."""
        data = self.__text.encode(errors="surrogatepass")
        return hashlib.blake2b(data, key=_KEY, digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return SECRET

    def __str__(self) -> str:
        return SECRET

    def __format__(self, spec: str) -> str:
        return SECRET

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (one.reveal().encode(errors="surrogatepass") for one in (self, other))
        return hmac.compare_digest(ours, theirs)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not copied, pickled or encoded")
