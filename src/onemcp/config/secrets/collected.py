"""The references to secrets in a document, and the environment in which they are resolved."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from onemcp.config.interpolate import SECRET, secrets_in
from onemcp.config.node import Node
from onemcp.config.secrets.reference import Reference, parse
from onemcp.config.secrets.secret import Secret
from onemcp.errors import ConfigError, Problem


def collect(node: Node, leave_out: Iterable[str] = ()) -> frozenset[Reference]:
    """Every secret that a text in the document refers to; `leave_out` names members of the top that are not looked at.

    What is no good reference is left out too: whoever expands the text finds that, and knows the place.
    """
    found: set[Reference] = set()
    if isinstance(node.value, dict):
        left = frozenset(leave_out)
        nodes = [member.value for name, member in node.value.items() if name not in left]
    else:
        nodes = [node]
    for text in _texts(nodes):
        for body in secrets_in(text):
            with suppress(ConfigError):
                found.add(parse(body))
    return frozenset(found)


def _texts(nodes: list[Node]) -> Iterator[str]:
    """Without recursion: a document may be nested deeper than Python's stack."""
    while nodes:
        value = nodes.pop().value
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            nodes.extend(member.value for member in value.values())
        elif isinstance(value, list):
            nodes.extend(value)


class Surrounding(Mapping[str, str]):
    """The environment, which answers to `SECRET:name` as well: what `interpolate.expand` asks it for.

    Secrets are given only to whoever asks for one by its name. Whoever goes through the variables, or copies them,
    finds none. One that could not be had raises its problem.
    """

    def __init__(self, environ: Mapping[str, str], secrets: Mapping[Reference, Secret | Problem]) -> None:
        self._environ = environ
        self._secrets = secrets

    def __getitem__(self, name: str) -> str:
        if not name.startswith(SECRET):
            return self._environ[name]
        reference = parse(name.removeprefix(SECRET))
        outcome = self._secrets[reference]
        if isinstance(outcome, Problem):
            raise ConfigError(outcome)
        return outcome.reveal()

    def __contains__(self, name: object) -> bool:
        return name in self._environ

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def __repr__(self) -> str:
        return f"<Surrounding {len(self._environ)} variables>"
