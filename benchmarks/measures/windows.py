"""A window through the gateway and the same one sent directly, as samples."""

from benchmarks.load import Load, run
from benchmarks.samples import BUSY, STARVED, WORTH_TRUSTING, Sample
from benchmarks.window import Window


def compare(name: str, through: Load, direct: Load) -> list[Sample]:
    """Run both loads, one after the other, and lay their figures side by side."""
    here, there = run(through), run(direct)
    errors = here.errors + there.errors + (not here.calls) + (not there.calls)
    return [
        Sample(
            f"{name}.rate",
            here.rate,
            there.rate,
            errors,
            there.generator > BUSY,
            _warning(here, there, through.sessions),
        ),
        Sample(f"{name}.p50", here.p50_ms, there.p50_ms),
        Sample(f"{name}.p99", here.p99_ms, there.p99_ms),
        Sample(f"{name}.cpu", here.cpu_us, there.cpu_us),
    ]


def _warning(here: Window, there: Window, sessions: int) -> str:
    if here.generator > BUSY:
        return f"the load generator used more than {BUSY:.0%} of a core: it may be what limits this figure"
    if there.rate < WORTH_TRUSTING * here.rate:
        return f"direct calls are less than {WORTH_TRUSTING:g} times as fast: the generator or the upstream may limit it"
    if sessions > 1 and here.rate * here.cpu_us < STARVED * 1e6:
        return f"the gateway got less than {STARVED:.0%} of a core: the machine was busy with something else"
    return ""
