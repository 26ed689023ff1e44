"""Taking out of a text what strangers must not read: credentials, paths and addresses, told by how they look.

What is left still says what happened. `sanitised` is for `/health` and alerts; the log keeps the whole text but
credentials. What is known to be secret, whatever it looks like, is hidden by `core/secrets.py`.
"""

import re
from typing import Final

SECRET: Final = "***"  # noqa: S105 - what is shown in the place of one

_NAMES: Final = r"""(?:
      token | secret (?: [_\s-]? (?: access [_-]? )? key )? | passw(?:or)?d | passphrase | passcode | pwd | credential | jwt
      | (?: api | access | private | signing | encryption | master | account | auth | client | session | ssh ) [_\s-]? key
      | session [_-]? id | signature )"""
"""What a credential is called, or how the name of one ends."""

_PARTS: Final = (
    "token", "secret", "passw", "passphrase", "passcode", "pwd", "credential", "jwt", "key", "session", "signature",
    "authorization", "cookie",
)  # fmt: skip
"""One of these is in every such name; most texts have none, and looking for a part is quicker than for a pattern."""

# Every pattern here begins at the beginning of a run of characters only, and takes what it has looked at or a bounded
# part of it, so that a long line costs no more than its length.
_BLOCK: Final = re.compile(
    r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY-----.*?(?:-----END[ A-Z0-9]{0,60}-----|\Z)", re.DOTALL
)
_USERINFO: Final = re.compile(
    r"""(?<=://)(?: [^\s/"<>]+ @ | [^\s/@:"<>]{0,256} : (?!\d{1,5}[/?\#]) [^\s"<>]{0,256} @ )""", re.VERBOSE
)
_HEADER: Final = re.compile(
    r"""(?ix)
    (?P<keep> (?<![\w-]) (?: proxy-)? authorization \s* [:=] \s*
      (?: (?: bearer | basic | token | negotiate | ntlm | api-?key ) [ \t]+ (?P<one>) )? ) (?! \\* ["'] )
    (?(one) [^\s"',;\\]+ | [^\r\n"']+ (?: ["'] [^\r\n]* )? )
    | (?P<cookies> (?<![\w-]) (?: set-)? cookie2? \s* : \s* ) (?! \\* ["'] ) [^\r\n]+
    """
)
_QUOTED: Final = r"""(?P<quote> \\*+ ["'] ) (?: (?! (?<!\\) (?P=quote) ) [^\r\n] )*+ (?P=quote)?"""
"""A string, closed or not, also where it stands in another one, so that its quotes are escaped."""
_PAIR: Final = re.compile(
    rf"""(?ix)
    (?P<keep> (?<![\w-]) (?<!\$\{{) (?! [\w-]* tokens \W{{1,4}} \d{{1,6}} \b ) [\w-]*?
      (?: {_NAMES} s? | authorization | cookies? ) (?: [_-]? \d+ )? (?: \\* ["'] )? \s* [:=] \s* )
    (?: {_QUOTED} | (?P<scheme> (?: bearer | basic | token ) \s+ )? [^\s"',;&)\]}}]+ )
    """
)
_PROSE: Final = r"""(?! (?: a | an | and | are | argument | as | can | cannot | first | flag | for | from | has | here | if | in
      | instead | is | it | may | missing | must | needs | not | of | on | option | or | required | requires | should | the | to
      | value | was | when | which | will | with ) \b )"""
"""What follows the name of an option, where a sentence is about it."""
_OPTION: Final = re.compile(
    rf"""(?ix)
    (?P<keep> (?<![\w-]) --? [\w-]*? {_NAMES} (?: ["'] ,? \s* | ,? \s+ ) ) (?! -- | [=:] ) {_PROSE}
    (?: {_QUOTED} | [^\s"',;)\]}}]+ )
    """
)
_SCHEME: Final = re.compile(
    r"""(?ix)
    (?P<keep> \b bearer \s+ ) (?! (?: tokens? | auth\w* | scheme | credentials? | headers? | realm | is | was | or | and | in
      | not | error | missing ) \b | \w+ = ["'] | \*\*\* ) [^\s"',;&)\]}]+
    | (?P<basic> \b basic \s+ ) (?= [\w+/-]{6} ) (?! (?-i:[A-Za-z]?[a-z]+) \b (?!=) ) [\w+/-]+ =*
    """
)
_KEY: Final = re.compile(
    r"""(?x)
    \b (?: sk-[\w-]{8,} | (?:sk|pk|rk)_(?:live|test)_\w{8,} | gh[pousr]_\w{8,} | github_pat_\w{8,} | xox[abeprs]-[\w-]{8,}
      | A[KS]IA\w{12,} | glpat-[\w-]{8,} | AIza[\w-]{20,} | ya29\.[\w-]{10,} | (?:npm|hf|whsec)_\w{16,} ) | (?<![\w-]) eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?
    | (?<![\w/+=-]) (?!/[\w-]+/) (?=[\w/+=-]*\d) (?=[\w/+=-]*[A-Za-z]) [\w/+=-]{32,}
    """
)
_URL: Final = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>)\]]+")
_PATH: Final = re.compile(
    r"""(?x)
    (?<![\w.]) (?: [A-Za-z]:[\\/](?!/) | \\\\ | ~?/ | ~\w+/ | \$\{?\w+\}?/ ) [^\s'":;,)\]]+
    | (?<![\w/]) \.{1,2} [/\\] [^\s'":;,)\]]*
    | (?<![\w./@+-]) (?! (?:application|audio|image|message|multipart|text|video)/ )
      [\w@.+-]+ (?: /[\w@.+-]+ )* / [\w@+-][\w@.+-]* \.[A-Za-z]\w{0,5} (?![\w/])
    """
)
_ENDINGS: Final = (
    "com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|cloud|co|tech|xyz|online|site|eu|us|uk|de|fr|ch|nl|cn|jp|kr|tw|hk|sg"
    "|ru|br|ca|au|nz|dk|fi|cz|ie|pt|local|localdomain|internal|intranet|private|corp|home|lan|svc|cluster|consul|arpa"
    "|onion|example|test|invalid"
)
_ADDRESS: Final = re.compile(
    rf"""(?x)
    (?<![\w.:>]) (?: \d{{1,3}}(?:\.\d{{1,3}}){{3}} (?::\d{{1,5}})?
      | \[ (?= [^\]\s]*:: | (?:[^:\]\s]*:){{5}} ) [0-9a-fA-F:.]{{2,45}} (?:%[\w.]+)? \] (?::\d{{1,5}})?
      | (?: (?:[0-9a-fA-F]{{1,4}}:){{5,7}} [0-9a-fA-F]{{1,4}}
          | (?: [0-9a-fA-F]{{1,4}} (?: :[0-9a-fA-F]{{1,4}} ){{0,6}} )? :: (?: [0-9a-fA-F]{{1,4}}: ){{0,6}}
            (?: \d{{1,3}}(?:\.\d{{1,3}}){{3}} | [0-9a-fA-F]{{1,4}} )
          | (?= [0-9a-fA-F:]*\d ) [0-9a-fA-F]{{1,4}} (?: :[0-9a-fA-F]{{1,4}} ){{0,6}} :: (?!:) ) (?:%\w+)? (?::\d{{1,5}})?
      | (?! (?:code|column|error|exit|line|pid|port|status): )
        (?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_-]* :\d{{2,5}} (?!:\d) ) (?![\w])
    | (?<![\w.-]) (?: [A-Za-z0-9_-]+\. )+ (?i: {_ENDINGS} | xn--[a-z0-9-]+ ) \b (?![\w-]) \.? (?: :\d{{1,5}} )?
    | (?<![\w.-]) (?: [A-Za-z0-9_-]+\. )* (?i:xn--) [A-Za-z0-9-]+ (?: \.[A-Za-z0-9-]+ )* (?: :\d{{1,5}} )?
    | (?: (?<=ENOTFOUND[ ]) | (?<=EAI_AGAIN[ ]) ) [^\s'",;)]+
    """
)
_CUT: Final = 4
"""So many times the length that is shown is looked at."""


def without_secrets(text: str) -> str:
    """The text with credentials replaced: what follows words like `token=`, keys of known form, users in URLs."""
    lower = text.lower()
    if "private key" in lower:
        text = _BLOCK.sub(SECRET, text)
    if "://" in lower:
        text = _USERINFO.sub(f"{SECRET}@", text)
    if "authorization" in lower or "cookie" in lower:
        text = _HEADER.sub(rf"\g<keep>\g<cookies>{SECRET}", text)
    if any(part in lower for part in _PARTS):
        text = _PAIR.sub(rf"\g<keep>\g<scheme>{SECRET}", text)
        text = _OPTION.sub(rf"\g<keep>{SECRET}", text)
    if "bearer" in lower or "basic" in lower:
        text = _SCHEME.sub(rf"\g<keep>\g<basic>{SECRET}", text)
    return _KEY.sub(SECRET, text)


def is_credential(name: str) -> bool:
    """Whether a variable, header or option of this name has a credential for its value."""
    return _NAMED.search(name) is not None


_NAMED: Final = re.compile(
    rf"(?ix) {_NAMES} s? (?: [_-]? \d+ )? \Z | (?: ^ | [_-] ) (?: key | pass | pw | pat | dsn | auth ) \Z | authorization | cookie"
)


def sanitised(text: str, limit: int = 300) -> str:
    """The text for strangers: no credentials, URLs, paths or addresses, on one line, at most `limit` characters."""
    if len(text) > limit * _CUT:
        text = text[: limit * _CUT]
        text = text[: max(text.rfind(" "), text.rfind("\n"))]  # half a word may be half a credential
    text = without_secrets(text)
    text = " ".join(text.split())
    text = _URL.sub("<url>", text)
    text = without_secrets(text)
    text = _PATH.sub("<path>", text)
    text = _ADDRESS.sub("<address>", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
