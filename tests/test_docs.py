"""The pages say what the code is: what can be compared is compared."""

import re
import subprocess
import sys
import textwrap
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from tests.support.guide import DOCS, GUIDE, GUIDE_ZH, examples

from onemcp.config import document, keys
from onemcp.config.table import TABLE as SETTINGS
from onemcp.core.health import WORDS, overall
from onemcp.core.lifecycle import TABLE
from onemcp.core.tags import TagError, from_query

ROOT: Final = DOCS.parent
SOURCE: Final = ROOT / "src" / "onemcp"
PAGES: Final = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def text(page: Path) -> str:
    """The page."""
    return page.read_text(encoding="utf-8")


def block(page: Path, language: str) -> str:
    """The first block in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_both_guides_have_the_same_examples_in_the_same_order() -> None:
    english, chinese = (
        [
            (each.name, each.language, re.sub(r"(?<=\s)// .*", "", each.text))
            for each in examples(page).values()
        ]
        for page in (GUIDE, GUIDE_ZH)
    )
    assert english == chinese


def test_both_guides_have_the_same_sections_and_diagrams() -> None:
    shapes = [re.findall(r"^(#+ |```mermaid$)", text(page), re.MULTILINE) for page in (GUIDE, GUIDE_ZH)]
    assert shapes[0] == shapes[1]


def test_the_reference_of_settings_is_up_to_date() -> None:
    script = DOCS / "reference" / "generate.py"
    made = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=30)
    assert text(DOCS / "reference" / "settings.md") == made.stdout


def test_every_setting_is_in_the_reference_with_its_meaning() -> None:
    lines = text(DOCS / "reference" / "settings.md").splitlines()
    for row in SETTINGS:
        (line,) = [line for line in lines if f"| `{row.variable}` |" in line]
        assert line.endswith(f" {row.help} |")
        assert row.help.strip()
        assert (f"`{row.flag}`" in line) is bool(row.flag)
        assert f"| {row.unit} |" in line or not row.unit
        assert ("| yes |" in line) is row.reloadable


def test_the_layers_of_the_architecture_are_those_that_are_checked() -> None:
    config = tomllib.loads(text(ROOT / "pyproject.toml"))
    (contract,) = config["tool"]["importlinter"]["contracts"]
    lines = block(DOCS / "architecture.md", "layers").splitlines()
    page = [re.split(r" {2,}", line)[0] for line in lines]
    assert page == [layer.replace("onemcp.", "") for layer in contract["layers"]]


def test_everything_in_the_tree_of_the_architecture_is_there() -> None:
    top = folder = ROOT
    for line in block(DOCS / "architecture.md", "tree").splitlines():
        words = line.split()
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            top = folder = ROOT / words[0]
        elif indent == 2:
            folder = top / words[0] if words[0].endswith("/") else top
        assert folder.is_dir(), folder
        for word in words:
            assert not word.endswith(".py") or (folder / word).is_file(), folder / word


def test_the_state_diagram_of_the_architecture_is_the_table_of_the_life_cycle() -> None:
    edges = re.findall(r"^ *(\w+) --> (\w+): (\w+)$", text(DOCS / "architecture.md"), re.MULTILINE)
    assert set(edges) == {(state.value, after.value, event.value) for (state, event), after in TABLE.items()}
    assert len(edges) == len(TABLE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_or_names_is_there(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        assert "://" in link or (page.parent / link).exists(), link
    for name in re.findall(r"`([\w./]+/[\w.]+\.(?:py|md))`", prose):
        assert any((base / name).exists() for base in (ROOT, SOURCE, DOCS)), name


def test_the_sample_with_all_keys_is_a_good_document(tmp_path: Path) -> None:
    sample = examples(DOCS / "configuration.md")["all-keys"].text
    environ = {"FILES_API_KEY": "k", "SEARCH_TOKEN": "t"}
    read = document.read(sample, str(tmp_path / "mcp.json"), environ)
    assert [(spec.name, spec.fault) for spec in read.specs] == [
        (n, None) for n in ("files", "search", "tickets")
    ]
    assert not read.notices


def test_every_key_of_an_entry_is_described() -> None:
    page = text(DOCS / "configuration.md")
    described = keys.ENTRY - {"inherit_env"}  # one more spelling, for old files
    assert [key for key in sorted(described) if f"`{key}`" not in page] == []


def test_a_mistake_in_an_expression_is_shown_as_the_page_has_it() -> None:
    page = DOCS / "configuration.md"
    query = re.search(r"`\?(filter=\S+)`:\n", text(page))
    assert query is not None
    with pytest.raises(TagError) as caught:
        from_query(query[1])
    assert examples(page)["mistake"].text == f"{caught.value}\n"


def test_troubleshooting_has_the_sentences_that_are_printed() -> None:
    source = "\n".join(text(file) for file in SOURCE.rglob("*.py"))
    headings = re.findall(r"^### `(.+)`$", text(DOCS / "troubleshooting.md"), re.MULTILINE)
    assert headings
    for heading in headings:
        for piece in re.split("…|Unknown tool", heading):  # the kind of entry is put in
            assert piece.strip(' "') in source, heading


def test_the_sections_of_a_page_do_not_skip_a_level() -> None:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
        levels = [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]
        assert levels[0] == 1, page
        assert all(after <= before + 1 for before, after in pairwise(levels)), page


def test_the_states_of_the_whole_are_told_as_they_are_decided() -> None:
    table = re.search(r"^ *=+  =+\n(.*?)^ *=+  =+$", overall.__doc__ or "", re.MULTILINE | re.DOTALL)
    assert table is not None
    assert examples(DOCS / "health.md")["states"].text == textwrap.dedent(table[1])


def test_every_word_for_the_state_of_a_server_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", text(DOCS / "health.md"), re.MULTILINE)
    assert set(WORDS.values()) <= set(explained)
