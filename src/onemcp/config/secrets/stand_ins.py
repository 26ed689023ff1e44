"""Judging a configuration without asking for its secrets: something else stands in their place."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from onemcp.config.interpolate import NO_SECRETS, is_secret_missing, is_unresolved, secrets_in
from onemcp.config.node import Node
from onemcp.config.secrets.reference import Reference, parse
from onemcp.config.secrets.secret import Secret
from onemcp.errors import ConfigError, Problem

_TEXT: Final = "0123456789abcdef" * 2
"""What most secrets could be: long enough for every rule, and fit for headers and addresses."""


def stand_ins(references: Iterable[Reference]) -> Mapping[Reference, Secret]:
    """Something for every secret."""
    return dict.fromkeys(references, Secret(_TEXT))


def without_guesses(problems: Iterable[Problem], tree: Node) -> tuple[Problem, ...]:
    """The problems without those of values that depend on a secret: nobody knows whether they are right.

    That a variable is not set, or that a reference is none, stays.
    """
    places = {(node.file, node.line, node.column) for node in _secretive(tree)}
    return tuple(problem for problem in problems if not _is_guess(problem, places))


def _is_guess(problem: Problem, places: Container[tuple[str, int, int]]) -> bool:
    if problem.what.startswith(NO_SECRETS):
        return False
    is_there = (problem.file, problem.line, problem.column) in places
    return is_there and (is_secret_missing(problem) or not is_unresolved(problem))


def _secretive(tree: Node) -> Iterator[Node]:
    """The texts that have good references to secrets. Without recursion: a document may be nested deeply."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node.value, dict):
            nodes.extend(member.value for member in node.value.values())
        elif isinstance(node.value, list):
            nodes.extend(node.value)
        elif isinstance(node.value, str) and _is_secretive(node.value):
            yield node


def _is_secretive(text: str) -> bool:
    bodies = list(secrets_in(text))
    try:
        return bool([parse(body) for body in bodies])
    except ConfigError:
        return False
