"""What one connection offers: the entries of its lists as they came, each with the key it is called by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from onemcp.wire.param_headers import ParamHeader


class Listing(StrEnum):
    """The four lists of MCP; the value is the member that holds the entries in a list result."""

    TOOLS = "tools"
    PROMPTS = "prompts"
    RESOURCES = "resources"
    TEMPLATES = "resourceTemplates"

    @property
    def method(self) -> str:
        """The request that lists them."""
        return "resources/templates/list" if self is Listing.TEMPLATES else f"{self.value}/list"

    @property
    def key(self) -> str:
        """The member of an entry by which it is called."""
        return _KEYS[self]


_KEYS = {
    Listing.TOOLS: "name",
    Listing.PROMPTS: "name",
    Listing.RESOURCES: "uri",
    Listing.TEMPLATES: "uriTemplate",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list: its key and its JSON text as the upstream sent it."""

    key: str
    raw: bytes
    headers: tuple[ParamHeader, ...] = ()
    """A tool's `x-mcp-header` annotations."""


@dataclass(frozen=True, slots=True)
class Offering:
    """Everything one connection offers, complete at one moment; equal offerings need no notice."""

    lists: Mapping[Listing, tuple[Item, ...]] = field(default_factory=dict)
    instructions: str = ""
    ttl_ms: int = 0
    """How long the lists may be thought fresh, as far as the upstream says; 0 for not at all."""
    warnings: tuple[str, ...] = ()
    """What could not be taken over from the upstream's lists, a sentence each."""

    def items(self, listing: Listing) -> tuple[Item, ...]:
        """The entries of one list, in the upstream's order."""
        return self.lists.get(listing, ())

    def without(self, tools: frozenset[str]) -> "Offering":
        """The offering less some tools."""
        if not tools:
            return self
        kept = tuple(item for item in self.items(Listing.TOOLS) if item.key not in tools)
        return replace(self, lists={**self.lists, Listing.TOOLS: kept})
