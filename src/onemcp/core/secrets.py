"""What is known to be secret of one upstream, and a redactor that hides it in any text, whatever it looks like."""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from onemcp.core.redact import SECRET, is_credential, without_secrets
from onemcp.core.spec import HttpTransport, StdioTransport, UpstreamSpec

SHORTEST: Final = 6
"""Characters of the shortest text that is hidden; what is shorter stands in too many others by chance."""
_CUT: Final = 8
"""Characters of one that was cut off at the end of a text, from which on it is hidden as well."""
_AFTER_CUT: Final = "\"'…."
_COMMON: Final = frozenset(
    """
    always bearer client config console critical custom debugging default default-value develop development disable
    disabled docker enable enabled english false global gateway inherit internal latest localhost memory native
    offline online preview private prod production public python readonly read-only release remote required sandbox server
    service silent sqlite staging standard stdio streamable-http string system testing unknown utf-8 verbose version warning
    """.split()  # noqa: SIM905 - words are read best as words
)
_LOCALE: Final = re.compile(r"[a-z]{2}_[A-Z]{2}(?:\.[\w-]+)?|[cC]\.[uU][tT][fF]-?8")
_PLACE: Final = re.compile(r"(?:~|\.{0,2})/|[A-Za-z]:[\\/]|(?:application|audio|image|multipart|text|video)/")
_REFERRED: Final = "SECRET:"
_OPTION: Final = re.compile(r"(?s)--?([\w-]+)(?:=(.*))?")
_QUERIED: Final = re.compile(r"(?<=[?&])([^\s?&#=]+)=([^\s&#]+)")
_ASSIGNED: Final = re.compile(r"(?s)([\w-]+)(?:=|:\s*)(.*)")


class Redactor:
    """Puts `***` in the place of literal texts, also as they stand in JSON and in URLs."""

    def __init__(self, literals: Iterable[str], former: Iterable[str] = ()) -> None:
        """`former` are texts that are still to be hidden; `present` is without them."""
        self.present = frozenset(literals)
        forms = {form for literal in self.present.union(former) for form in _forms(literal)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without them; costs about a microsecond for each of them and kilobyte."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, SECRET)
        return self._without_cut_one(text)

    def _without_cut_one(self, text: str) -> str:
        """Somebody may have cut the text in the middle of one."""
        end = text.rstrip(_AFTER_CUT)
        for form in self._forms:
            start = end.find(form[:_CUT], max(0, len(end) - len(form)))
            if start >= 0 and form.startswith(end[start:]):
                return f"{end[:start]}{SECRET}{text[len(end) :]}"
        return text


def literals_of(spec: UpstreamSpec, inherited: Mapping[str, str]) -> frozenset[str]:
    """The texts that nobody is to read of an upstream.

    They are what variables and secrets were put into its entry, its `env` and `headers`, what among its arguments and in its URL is
    a credential by its name, and such variables among those that it inherits. What is short, common, a path or a plain
    URL is none, unless its name says otherwise.
    """
    found = {secret for name, value in _values(spec, inherited) for secret in _secrets(name, value)}
    return frozenset(found - {spec.name})


def masked(name: str, value: str) -> str:
    """What somebody wrote for a variable, header or option, for a person: `***` if its name says that it is secret."""
    return SECRET if value and is_credential(name) else without_secrets(value)


def masked_reference(name: str, value: str) -> str:
    """The same for what a variable holds that is put into an entry: nearly everything, as `literals_of` has it."""
    return masked(name, Redactor(_secrets(name, value))(value))


def masked_arguments(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line without what is a credential by its option or looks like one."""
    shown: list[str] = []
    option = ""
    for argument in argv:
        found = _OPTION.fullmatch(argument) or _ASSIGNED.fullmatch(argument)
        if option:
            shown.append(SECRET)
        elif found is not None and found[2] and is_credential(found[1]):
            shown.append(argument[: found.start(2)] + SECRET)
        else:
            shown.append(without_secrets(_QUERIED.sub(_without_queried, argument)))
        is_option = found is not None and found[2] is None and is_credential(found[1])
        option = argument if is_option and not option else ""
    return tuple(shown)


def _without_queried(match: re.Match[str]) -> str:
    """A member of a URL's query, without its value if its name says that it is secret."""
    return f"{match[1]}={SECRET}" if is_credential(match[1]) else match[0]


def _values(spec: UpstreamSpec, inherited: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from spec.referred
    match spec.transport:
        case StdioTransport(argv=argv, env=env):
            yield from env
            yield from _arguments(argv)
            yield from ((name, value) for name, value in inherited.items() if is_credential(name))
            yield from (("", value) for value in inherited.values() if "@" in value and "://" in value)
        case HttpTransport(url=url, headers=headers):
            yield from headers
            yield "", url
        case _:
            pass


def _arguments(argv: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Credentials among arguments, by what stands before them: `--token X`, `--token=X`, `-e TOKEN=X`, a URL."""
    option = ""
    for argument in argv:
        if option:
            yield option, argument
        option = ""
        found = _OPTION.fullmatch(argument)
        if found is not None and is_credential(found[1]):
            option = found[1] if found[2] is None else ""
            yield found[1], found[2] or ""
        elif (assigned := _ASSIGNED.fullmatch(argument)) is not None and is_credential(assigned[1]):
            yield assigned[1], assigned[2]
        elif "://" in argument:
            yield from _of_url(argument)


def _secrets(name: str, value: str) -> Iterator[str]:
    """What of a value is worth hiding."""
    for inner, text in _members(value):
        yield from _secrets(inner, text)
    yield from (secret for _, secret in _of_url(value) if _counts(secret, named=True))
    scheme, _, rest = value.partition(" ")
    if is_credential(name) and rest and scheme.isalpha():
        yield from (word for word in (rest.strip(), *_basic(scheme, rest)) if _counts(word, named=True))
    for line in value.splitlines():  # they may be told one by one
        text = line.strip()
        if _counts(text, named=is_credential(name) or name.startswith(_REFERRED)):
            yield text


def _counts(text: str, *, named: bool) -> bool:
    if len(text) < SHORTEST or text.casefold() in _COMMON or text.startswith("-----"):
        return False
    if named:
        return True
    is_plain_url = "://" in text and not any(True for _ in _of_url(text))
    return not (is_plain_url or _PLACE.match(text) or _LOCALE.fullmatch(text))


def _of_url(text: str) -> Iterator[tuple[str, str]]:
    """The credentials in a URL: its password, and what of its query is one by its name."""
    if "://" not in text:
        return
    try:
        parts = urlsplit(text)
        user, password = parts.username, parts.password
    except ValueError:
        return
    for secret in (password, user if user and not password else None):
        if secret:
            yield "password", secret
            yield "password", unquote(secret)
    for member in parts.query.split("&"):
        name, _, value = member.partition("=")
        if value and is_credential(name):
            yield name, value
            yield name, unquote(value)


def _members(text: str) -> Iterator[tuple[str, str]]:
    """The texts in an object of JSON, such as headers that are handed over in one variable."""
    try:
        document = json.loads(text) if text.startswith("{") else {}
    except (ValueError, RecursionError):
        return
    for name, value in document.items():
        if isinstance(value, str):
            yield name, value


def _basic(scheme: str, credentials: str) -> Iterator[str]:
    """The password in the credentials of basic authentication (RFC 7617)."""
    if scheme.lower() == "basic":
        try:
            yield b64decode(credentials, validate=True).decode().partition(":")[2]
        except (Base64Error, UnicodeDecodeError, ValueError):
            return


def _forms(literal: str) -> Iterator[str]:
    """A text as it is, in JSON, and in a URL. It may hold bytes that are no text, as PEP 383 has them."""
    yield literal
    if (
        not literal.isascii()
    ):  # bytes that were no text come back from a server's standard error in another form
        yield literal.encode(errors="surrogateescape").decode(errors="replace")
    yield json.dumps(literal)[1:-1]
    yield json.dumps(literal, ensure_ascii=False)[1:-1]
    yield quote(literal, safe="", errors="surrogatepass")
