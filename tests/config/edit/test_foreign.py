"""Servers of other programs become entries of ours."""

from typing import Any

import pytest

from onemcp.config.edit.foreign import Candidate, candidates

X: dict[str, Any] = {"command": "x"}


def one(
    entry: dict[str, Any], inputs: list[Any] | None = None, workspace: str = "", name: str = "a"
) -> Candidate:
    (found,) = candidates({"servers": {name: entry}, "inputs": inputs}, workspace)
    return found


@pytest.mark.parametrize(
    "document",
    [
        {"mcpServers": {"a": X}},
        {"servers": {"a": X}, "inputs": []},
        {"editor.tabSize": 2, "mcp": {"servers": {"a": X}}},
        {"editor.tabSize": 2, "mcp.servers": {"a": X}},
    ],
)
def test_servers_are_found_where_programs_have_them(document: Any) -> None:
    assert candidates(document) == [Candidate("a", X)]


@pytest.mark.parametrize("document", [{}, [], None, {"mcpServers": []}, {"mcp": 1}, {"mcpServers": {"a": 1}}])
def test_where_there_are_none_there_are_none(document: Any) -> None:
    assert candidates(document) == []


def test_what_was_asked_for_becomes_a_reference() -> None:
    inputs = [
        {"id": "my key", "type": "promptString", "password": True},
        {"id": "base-url", "type": "promptString", "default": "http://x"},
        {"id": "2nd", "type": "promptString"},
        "odd",
    ]
    entry = {
        "headers": {"A": "Bearer ${input:my key}"},
        "url": "${input:base-url}/${input:2nd}/${input:other}",
    }
    found = one(entry, inputs)
    assert found.entry == {
        "headers": {"A": "Bearer ${SECRET:my-key}"},
        "url": "${BASE_URL:-http://x}/${_2ND}/${OTHER}",
    }
    assert found.remarks == (
        "set its secret: 1mcp secret set my-key",
        "BASE_URL may be set where the gateway starts; without it http://x counts",
        "set the variable _2ND where the gateway starts",
        "set the variable OTHER where the gateway starts",
    )


def test_folders_of_an_editor_become_paths_or_are_told() -> None:
    args = ["${workspaceFolder}${/}a", "${userHome}", "${workspaceFolder:other}", "${env:A}", "${file}"]
    found = one({"command": "x", "args": args}, workspace="/srv/${a")
    assert found.entry["args"] == [
        "/srv/$${a/a",
        "${HOME}",
        "${workspaceFolder:other}",
        "${env:A}",
        "${file}",
    ]
    assert found.remarks == (
        "${workspaceFolder} is /srv/${a",
        "${workspaceFolder:other} means nothing here: write what it stands for",
        "${file} means nothing here: write what it stands for",
    )
    assert one({"command": "${workspaceFolder}/x"}).remarks == (
        "${workspaceFolder} means nothing here: write what it stands for",
    )


def test_what_means_nothing_here_is_left_out_and_told() -> None:
    found = one({"command": "x", "autoApprove": [], "envFile": ".env", "disabled": None})
    assert found.entry == X
    assert found.remarks[0] == "left out, since it means nothing here: autoApprove, envFile"
    assert found.remarks[1].startswith("envFile is not read")


@pytest.mark.parametrize(
    ("timeout", "ours"), [(60, 60_000), (0.5, 500), (1000, 1000), (60_000, 60_000), (True, True)]
)
def test_a_timeout_in_seconds_becomes_milliseconds(timeout: Any, ours: Any) -> None:
    assert one({"command": "x", "timeout": timeout}).entry["timeout"] == ours


def test_a_name_that_is_an_address_is_made_fit_for_a_path() -> None:
    found = one(X, name="github.com/a/b ")
    assert (found.name, found.remarks) == ("github.com-a-b", ("it was called github.com/a/b ",))


def test_variables_are_texts() -> None:
    assert one({"command": "x", "env": {"A": 1, "B": None, "C": "c"}}).entry["env"] == {"A": "1", "C": "c"}
