"""The Dockerfiles say what they should, and what they copy is there."""

import fnmatch
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.support.images import instructions
from tests.support.machine import GIT, ROOT

from onemcp import __version__

GATEWAY: Final = ROOT / "Dockerfile"
CLOCK: Final = ROOT / "deploy" / "compose" / "clock" / "Dockerfile"
BOTH: Final = pytest.mark.parametrize("dockerfile", [GATEWAY, CLOCK], ids=["gateway", "clock"])


def last(dockerfile: Path, keyword: str) -> str:
    """The instruction that counts: the last one of the last stage."""
    said = instructions(dockerfile)
    stage = max(place for place, (word, _) in enumerate(said) if word == "FROM")
    return [rest for word, rest in said[stage:] if word == keyword][-1]


def sources(dockerfile: Path) -> list[str]:
    """What is copied from the context."""
    copies = [rest.split() for word, rest in instructions(dockerfile) if word == "COPY"]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


@BOTH
def test_it_runs_as_a_user_who_is_not_root_and_is_named_by_number(dockerfile: Path) -> None:
    user, group = map(int, last(dockerfile, "USER").split(":"))
    assert user
    assert group


@BOTH
def test_the_base_is_named_without_a_registry_and_with_a_version(dockerfile: Path) -> None:
    bases = [rest for word, rest in instructions(dockerfile) if word == "FROM"]
    assert {base.partition(" ")[0] for base in bases} == {"python:${PYTHON}-slim"}
    assert ("ARG", "PYTHON=3.13") in instructions(dockerfile)


@BOTH
def test_no_check_is_built_in_that_would_differ_from_that_of_compose(dockerfile: Path) -> None:
    assert "HEALTHCHECK" not in dict(instructions(dockerfile))


@BOTH
@GIT.mark
def test_what_is_copied_is_in_the_tree_and_let_through(dockerfile: Path) -> None:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tree = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    allowed = [line[1:] for line in lines(ROOT / ".dockerignore") if line.startswith("!")]
    for source in sources(dockerfile):
        assert any(path == source or path.startswith(f"{source}/") for path in tree), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed), source


def lines(file: Path) -> list[str]:
    """Its lines without comments."""
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


def test_nothing_is_let_through_that_no_image_copies() -> None:
    first, *rest = lines(ROOT / ".dockerignore")
    assert first == "*"
    assert {line[1:] for line in rest if line.startswith("!")} == {*sources(GATEWAY), *sources(CLOCK)}


def test_the_gateway_listens_for_others_and_does_not_allow_itself_to() -> None:
    said = last(GATEWAY, "ENV")
    assert "ONE_MCP_HOST=0.0.0.0" in said
    assert "UNAUTHENTICATED" not in said


def test_files_name_the_version_that_this_is() -> None:
    for file in (ROOT / "compose.yaml", ROOT / "deploy" / "kubernetes" / "deployment.yaml"):
        assert re.findall(r"image: onemcp:(\S+)", file.read_text()) == [__version__]
