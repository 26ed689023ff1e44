"""The webhooks of the section `alerts`: where alerts are sent, which, and what they look like there.

A webhook that cannot be used is a mistake in the document, not a fault that is worked around: a gateway that tells
nobody looks like one that has nothing to tell.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from onemcp.config.interpolate import is_secret_missing
from onemcp.config.node import Node, plain
from onemcp.config.section import Item, Report, Section
from onemcp.config.setting import nearest
from onemcp.core.alerts import FOLLOWS
from onemcp.core.events import ALERT_KINDS, Severity
from onemcp.core.template import names
from onemcp.errors import ConfigError, Problem
from onemcp.net.origin import split_url

FIELDS: Final = (
    "at",
    "gateway",
    "id",
    "key",
    "kind",
    "missed",
    "runbook",
    "severity",
    "since",
    "status",
    "subject",
    "summary",
    "title",
)
"""What a template may name."""
_WEBHOOK: Final = (
    "allowPrivate",
    "format",
    "kinds",
    "secret",
    "severities",
    "template",
    "timeout",
    "url",
)
MAX_WEBHOOKS: Final = 32
MIN_SECRET: Final = 16
"""Characters; a shorter secret can be guessed."""
_MAX_TIMEOUT: Final = 60_000.0


class Format(StrEnum):
    """What is sent."""

    JSON = "json"
    """Our own document."""
    SLACK = "slack"
    """What incoming webhooks of Slack take, and of those that speak its language."""
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are sent, and which."""

    id: str
    """Stays the same while the URL in the file does, whatever its variables hold."""
    url: str = field(repr=False)
    label: str
    """For a person: scheme and host only, since paths of webhooks are secrets."""
    secret: str = field(default="", repr=False)
    """Signs what is sent; empty for no signature."""
    format: Format = Format.JSON
    template: str = ""
    """JSON, with `${field}` in its texts."""
    severities: frozenset[Severity] = frozenset(Severity)
    kinds: frozenset[str] = frozenset(ALERT_KINDS)
    allow_private: bool = False
    """Connect to addresses that are not public too."""
    timeout: float = 10.0
    """Seconds for one attempt."""

    def wants(self, kind: str, severity: Severity) -> bool:
        """Whether an alert is sent here. Whoever gets a raise gets its clear, also where that has a name of its own."""
        return severity in self.severities and not self.kinds.isdisjoint({kind, FOLLOWS.get(kind, kind)})


def read_webhooks(section: Section, environ: Mapping[str, str], report: Report) -> tuple[Webhook, ...]:
    """The member `webhooks` of the section; mistakes go to the report."""
    return _Reader(environ, report).read(section)


class _Reader:
    def __init__(self, environ: Mapping[str, str], report: Report) -> None:
        self._environ = environ
        self._report = report
        self._seen: dict[str, int] = {}

    def read(self, section: Section) -> tuple[Webhook, ...]:
        item = section.get("webhooks")
        if item is not None and not isinstance(item.node.value, list):
            section.refuse(item, "an array of webhooks")
        elements = section.elements("webhooks")
        if len(elements) > MAX_WEBHOOKS:
            self._say(elements[MAX_WEBHOOKS], f"there are more than {MAX_WEBHOOKS} webhooks")
        found = [self._usable(section.inner(element)) for element in elements[:MAX_WEBHOOKS]]
        return tuple(webhook for webhook in found if webhook is not None)

    def _usable(self, section: Section) -> Webhook | None:
        """The webhook; None for one that is refused, or whose secret is not to be had, which harms no other."""
        try:
            return self._one(section)
        except SecretMissing as missing:
            problem = missing.problem
            self._report.notices.append(
                f"{problem.file}:{problem.line}: {section.item.key} is told nothing: {problem.what}; {problem.fix}"
            )
            return None

    def _one(self, section: Section) -> Webhook | None:
        section.only(_WEBHOOK)
        address = section.text("url")
        if address is None:
            if "url" not in section.members:
                self._say(section.item, "a webhook has no url", 'it takes {"url": "https://..."}')
            return None
        url = self._url(address)
        if not url:
            return None
        webhook = Webhook(self._id(address.raw), url, str(split_url(url)[0]), self._secret(section))
        timeout = section.number("timeout", 1, "a number of milliseconds from 1")
        return replace(
            webhook,
            format=self._format(section),
            template=self._template(section),
            severities=frozenset(map(Severity, self._words(section, "severities", Severity)))
            or frozenset(Severity),
            kinds=self._words(section, "kinds", ALERT_KINDS) or frozenset(ALERT_KINDS),
            allow_private=section.boolean("allowPrivate") or False,
            timeout=webhook.timeout if timeout is None else min(timeout, _MAX_TIMEOUT) / 1000,
        )

    def _url(self, item: Item) -> str:
        url = self._text(item)
        try:
            if url:
                split_url(url)
        except ValueError as error:
            self._say(item, f"this is no URL of a webhook: {error}", "write https://host/path")
            return ""
        return url

    def _id(self, raw: str) -> str:
        number = self._seen[raw] = self._seen.get(raw, 0) + 1
        return hashlib.sha256(f"{raw}\n{number}".encode()).hexdigest()[:12]

    def _secret(self, section: Section) -> str:
        item = section.text("secret")
        secret = self._text(item) if item is not None else ""
        if item is not None and secret and len(secret) < MIN_SECRET:
            self._say(
                item, f"the secret is shorter than {MIN_SECRET} characters", "make one: openssl rand -hex 32"
            )
        return secret

    def _format(self, section: Section) -> Format:
        item, template = section.text("format"), section.get("template")
        if item is None:
            return Format.JSON if template is None else Format.TEMPLATE
        if item.raw not in set(Format):
            section.refuse(item, " or ".join(f'"{word}"' for word in Format))
            return Format.JSON
        if item.raw == Format.TEMPLATE and template is None:
            self._say(item, "there is no template", 'add "template": {...}')
        if item.raw != Format.TEMPLATE and template is not None:
            self._say(
                template, f"a template means nothing with the format {item.raw}", "take one of them away"
            )
        return Format(item.raw)

    def _template(self, section: Section) -> str:
        item = section.get("template")
        if item is None:
            return ""
        if not isinstance(item.node.value, dict | list):
            section.refuse(item, "an object or an array, with ${field} in its texts")
            return ""
        for text in _texts(item.node):
            for name in names(str(text.value)):
                if name not in FIELDS:
                    guess = nearest(name, FIELDS)
                    fix = f"did you mean {guess}?" if guess else "there are " + ", ".join(FIELDS)
                    self._report.problems.append(
                        Problem(
                            f"{name} is no field of an alert",
                            fix,
                            item.file,
                            text.line,
                            text.column,
                            item.key,
                        )
                    )
        return json.dumps(plain(item.node), ensure_ascii=False)

    def _words(self, section: Section, key: str, known: Iterable[str]) -> frozenset[str]:
        known = list(known)
        for item in section.texts(key):
            if item.raw not in known:
                guess = nearest(item.raw, known)
                fix = f"did you mean {guess}?" if guess else "there are " + ", ".join(known)
                self._say(item, f"{json.dumps(item.raw)} is none of the {key}", fix)
        return frozenset(item.raw for item in section.texts(key) if item.raw in known)

    def _text(self, item: Item) -> str:
        """The text with its references resolved; empty if one cannot be, which is reported."""
        return resolved(item, self._environ, self._report)

    def _say(self, item: Item, what: str, fix: str = "") -> None:
        self._report.problems.append(item.problem(what, fix))


class SecretMissing(Exception):  # noqa: N818 - caught where a webhook is left out, and never seen
    """A secret that a webhook refers to could not be had."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def resolved(item: Item, environ: Mapping[str, str], report: Report) -> str:
    """The text of a member with its references resolved; empty, and reported, if one cannot be or nothing is left.

    Raises:
        SecretMissing: a secret that it refers to could not be had.
    """
    try:
        text = item.text(environ).strip()
    except ConfigError as error:
        if is_secret_missing(error.problems[0]):
            raise SecretMissing(error.problems[0]) from None
        report.problems += error.problems
        return ""
    if not text:
        report.problems.append(item.problem("the text is empty"))
    return text


def _texts(node: Node) -> Iterable[Node]:
    """All texts inside a value, keys not among them."""
    if isinstance(node.value, str):
        yield node
    elif isinstance(node.value, dict):
        for member in node.value.values():
            yield from _texts(member.value)
    elif isinstance(node.value, list):
        for part in node.value:
            yield from _texts(part)
