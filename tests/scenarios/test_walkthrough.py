"""The walk through docs/environments.md: what it says is written and typed, in its order, in one folder."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.gateway import WAIT_LIMIT, environment
from tests.support.guide import DOCS, Command, Example, GuideGateway, docs_server, examples

PAGE = examples(DOCS / "environments.md")
FILES = {
    "base": "mcp.json",
    "dotenv": ".env",
    "staging": "mcp.staging.json",
    "production": "mcp.production.json",
}


class Walk:
    """The folder that everything is typed in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("web", "api"):
            subprocess.run(["git", "init", "--quiet", f"repos/{name}"], cwd=folder, check=True)

    def write(self, *names: str) -> None:
        """The files of the page, as they stand there."""
        for name in names:
            (self.folder / FILES[name]).write_text(PAGE[name].text, encoding="utf-8")

    def type(self, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A line in a shell."""
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env={**environment(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=WAIT_LIMIT,
            check=False,
        )

    def shown(self, example: Example) -> None:
        """The console says what the page has under the line that is typed, and nothing else that could be read."""
        line, _, printed = example.text.removeprefix("$ ").partition("\n")
        done = self.type(line)
        assert (done.stdout + done.stderr)[: len(printed)] == printed


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    return Walk(tmp_path_factory.mktemp("walk"))


def test_one_file_is_good(walk: Walk) -> None:
    (walk.folder / "mcp.json").write_text(PAGE["one-file"].text)
    walk.shown(PAGE["check-one-file"])


def test_the_secret_is_found_where_it_was_put(walk: Walk) -> None:
    literal = '"headers": { "Authorization": "Bearer dev-token" }'
    text = PAGE["one-file"].text
    assert literal in text
    (walk.folder / "mcp.json").write_text(text.replace(literal, PAGE["reference"].text.strip()))
    missing = walk.type(PAGE["check-secrets"].text)
    assert (missing.returncode, "${SECRET:docs-token}" in missing.stdout + missing.stderr) == (78, True)
    assert walk.type(PAGE["secret-set"].text).returncode == 0
    assert walk.type(PAGE["check-secrets"].text).returncode == 0


@pytest.mark.parametrize(
    "name", ["show-api", "show-staging", "check-production", "check-misspelled", "hierarchy"]
)
def test_the_console_says_what_the_page_says(walk: Walk, name: str) -> None:
    walk.write(*FILES)
    walk.shown(PAGE[name])


def test_secrets_of_production_are_files(walk: Walk) -> None:
    walk.write(*FILES)
    folder = walk.folder / "secrets"
    shutil.rmtree(walk.folder / "home", ignore_errors=True)  # the encrypted file of development is not there
    lines = PAGE["production-secrets"].text.replace("/srv/secrets", str(folder))
    assert walk.type(lines).returncode == 78
    folder.mkdir()
    (folder / "docs-token").write_text("production-token\n")
    assert walk.type(lines).returncode == 0


@pytest.fixture
def fresh(tmp_path: Path) -> Walk:
    walk = Walk(tmp_path)
    walk.write(*FILES)
    walk.type(PAGE["secret-set"].text)
    return walk


@pytest.fixture
def address() -> Iterator[str]:
    with docs_server() as url:
        yield url


@pytest.mark.parametrize(
    ("number", "ready"), [(0, {"time", "docs", "web", "api"}), (2, {"docs", "web", "api"})]
)
def test_it_starts_in_each_environment(fresh: Walk, address: str, number: int, ready: set[str]) -> None:
    start = PAGE["start"].commands()[number]
    config = PAGE["base"].text
    with GuideGateway(start, config, folder=fresh.folder, environ={"DOCS_URL": address}) as gateway:
        gateway.wait_settled()
        lines = [line.split() for line in gateway.stdout.splitlines()]
        assert {words[0] for words in lines if words[1:2] == ["ready"]} == ready


def test_staging_logs_more_and_looks_elsewhere(fresh: Walk) -> None:
    start = PAGE["start"].commands()[1]
    with GuideGateway(start, PAGE["base"].text, folder=fresh.folder) as gateway:
        gateway.wait_for_output("docs.staging.example")
        assert "environment staging" in gateway.stdout
        shown = gateway.type(_command("1mcp config features --json"))
        assert shown.returncode == 0


def test_changes_are_told_beforehand_and_made_while_it_runs(fresh: Walk, address: str) -> None:
    environ = {"DOCS_URL": address}
    start = PAGE["start"].commands()[0]
    more = "--no-enable-config-reload"
    with GuideGateway(start, PAGE["base"].text, more, folder=fresh.folder, environ=environ) as gateway:
        gateway.wait_settled()
        changed = (
            PAGE["base"]
            .text.replace('    "time": { "command": "mcp-server-time" },\n', "")
            .replace('"name": "api" } }', '"name": "api" }, "requestTimeout": 5000 }')
        )
        gateway.config_file.write_text(changed)
        line, _, printed = PAGE["diff"].text.removeprefix("$ ").partition("\n")
        assert gateway.type(_command(line)).stdout == printed
        assert gateway.type(PAGE["reload"].command()).returncode == 0
        gateway.wait_for_output("ended time; changed api")
        fresh.type(PAGE["rotate"].text)
        gateway.wait_for_output("another secret than before: ${SECRET:docs-token}")
        features = gateway.type(PAGE["features"].command()).stdout
        assert "alerts" in features


def _command(line: str) -> Command:
    return Command(tuple(shlex.split(line)))
