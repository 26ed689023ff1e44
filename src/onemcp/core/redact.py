"""Taking out of a text what strangers must not read: credentials, paths and addresses.

What is left still says what happened. It is for `/health` and alerts; the log keeps the whole text but credentials.
"""

import re
from typing import Final

# Each pattern looks at a run of characters from its beginning only, so that a long line costs no more than its length.
_SECRET: Final = re.compile(
    r"""(?ix)
    (?P<keep> \b (?: bearer | basic ) \s+ | (?<![\w-]) [\w-]* (?: token | secret | passw(?:or)?d | api[_-]?key | authorization
      | credential | cookie )s? ["']? \s* [:=] \s* (?: bearer \s+ | basic \s+ )? )
    (?: "[^"]*" | '[^']*' | [^\s"',;&)\]}]+ )
    """
)
_KEY: Final = re.compile(
    r"""(?x)
    \b (?: sk-[\w-]{8,} | gh[pousr]_\w{8,} | github_pat_\w{8,} | xox[abprs]-[\w-]{8,} | AKIA\w{12,} | glpat-[\w-]{8,}
      ) | (?<![\w-]) eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)? | (?<![\w/+=-]) (?!/[\w-]+/) (?=[\w/+=-]*\d) (?=[\w/+=-]*[A-Za-z]) [\w/+=-]{32,}
    """
)
_USERINFO: Final = re.compile(r"(?<=://)[^\s/@]+@")
_URL: Final = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>)\]]+")
_PATH: Final = re.compile(
    r"(?<![\w.])(?:[A-Za-z]:\\|\\\\|~?/)[^\s'\":;,)\]]+|(?<![\w/])\.{1,2}/[^\s'\":;,)\]]+"
)
_ADDRESS: Final = re.compile(
    r"""(?x)
    (?<![\w.:>]) (?: \d{1,3}(?:\.\d{1,3}){3} (?::\d{1,5})?
      | \[? (?: (?:[0-9a-fA-F]{1,4}:){5,7} [0-9a-fA-F]{1,4}
          | (?: [0-9a-fA-F]{1,4} (?: :[0-9a-fA-F]{1,4} ){0,6} )? :: (?: [0-9a-fA-F]{1,4}: ){0,6}
            (?: \d{1,3}(?:\.\d{1,3}){3} | [0-9a-fA-F]{1,4} )? ) (?:%\w+)? \]? (?::\d{1,5})?
      | (?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]* :\d{2,5} (?!:\d) ) (?![\w])
    | (?<![\w.-]) (?: [A-Za-z0-9-]+\. )+ (?: com|org|net|io|dev|local|internal|svc|lan|cloud|app|ai ) \b (?: :\d{1,5} )?
    """
)

SECRET: Final = "***"  # noqa: S105 - what is shown in the place of one


def without_secrets(text: str) -> str:
    """The text with credentials replaced: what follows words like `token=`, keys of known form, users in URLs."""
    text = _USERINFO.sub(f"{SECRET}@", text)
    text = _SECRET.sub(rf"\g<keep>{SECRET}", text)
    return _KEY.sub(SECRET, text)


def sanitised(text: str, limit: int = 300) -> str:
    """The text for strangers: no credentials, URLs, paths or addresses, on one line, at most `limit` characters."""
    text = " ".join(text[: limit * 4].split())
    text = _URL.sub("<url>", text)
    text = without_secrets(text)
    text = _PATH.sub("<path>", text)
    text = _ADDRESS.sub("<address>", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
