"""Features: what an operator can switch off in a gateway, and what that means for its upstreams."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onemcp.core.spec import UpstreamSpec


@dataclass(frozen=True, slots=True)
class Features:
    """Each of them is there unless it is switched off."""

    metrics: bool = True
    """Requests are counted, and `/metrics` says what was."""
    alerts: bool = True
    """Webhooks are told of alerts."""
    single_server_routes: bool = True
    """`/servers/<name>/mcp` is served."""
    sampling: bool = True
    """Upstreams may have the model of a client asked."""
    elicitation: bool = True
    """Upstreams may ask the person at a client."""
    roots: bool = True
    """Upstreams may ask a client for its folders."""
    completions: bool = True
    """Clients may ask for suggestions for arguments."""
    trace_context: bool = True
    """The trace that a request belongs to is told to its upstream."""

    @property
    def withheld(self) -> frozenset[str]:
        """The capabilities, of those that clients declare, that no upstream is told of."""
        asked = {"sampling": self.sampling, "elicitation": self.elicitation, "roots": self.roots}
        return frozenset(name for name, is_on in asked.items() if not is_on)

    def applied_to(self, specs: Sequence[UpstreamSpec]) -> tuple[UpstreamSpec, ...]:
        """The upstreams as they are with these features; the same for what has been through here already.

        Roots that the configuration gives stay: no client is asked for them.
        """
        return tuple(self._applied(spec) for spec in specs)

    def _applied(self, spec: UpstreamSpec) -> UpstreamSpec:
        has_own_roots = spec.roots is not None and bool(spec.roots.given)
        withheld = self.withheld - {"roots"} if has_own_roots else self.withheld
        return spec if withheld == spec.withheld else replace(spec, withheld=withheld)
