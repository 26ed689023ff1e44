"""Templates of JSON: values in the place of `${name}` in its texts, and nothing else; no code, no second look.

`$${` stands for the two characters `${`. What a value holds becomes part of a text, so that no value can end it.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def names(text: str) -> Iterator[str]:
    """The names in `${name}` in a text of a template; what has other characters than letters is one too, a wrong one."""
    for part in text.replace("$${", "").split("${")[1:]:
        yield part.partition("}")[0] if "}" in part else part[:20]


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A template with the values in the place of `${name}`; `$${` stands for the two characters `${`.

    What a value holds is a text in a text, whatever its characters: it is not looked at again.
    """
    if isinstance(template, dict):
        return {name: filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if not isinstance(template, str) or "${" not in template:
        return template
    return "${".join(_filled(part, values) for part in template.split("$${"))


def _filled(text: str, values: Mapping[str, str]) -> str:
    first, *rest = text.split("${")
    parts = [first]
    for part in rest:
        name, closing, after = part.partition("}")
        parts.append(values[name] + after if closing and name in values else "${" + part)
    return "".join(parts)
