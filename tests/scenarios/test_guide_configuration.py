"""The promises of docs/guide.md, section "Advanced configuration management", kept by real processes."""

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.gateway import BIN, onemcp
from tests.support.guide import GUIDE, GUIDE_ZH, Command, GuideGateway, examples
from tests.support.scripted import command

PAGE = examples(GUIDE)
START = PAGE["start"].command()
SECRET = "canary-of-the-guide"
ADDRESS = "postgres://db.example/x"
PLACES = ("variable ONE_MCP_LOG_LEVEL", "flag --log-level", "mcp.json:1", "default")


def tools(folder: Path) -> Mapping[str, str]:
    """The environment in which there is a program called `mcp-postgres`."""
    place = folder / "tools"
    place.mkdir()
    program = place / "mcp-postgres"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(command('--tools', 1))}\n")
    program.chmod(0o755)
    return {"PATH": os.pathsep.join((str(place), str(BIN), os.environ["PATH"])), "DATABASE_URL": ADDRESS}


def keep(secret: str, folder: Path) -> None:
    """The page's command, with the secret piped in."""
    done = onemcp(*PAGE["secret-set"].command().argv[1:], folder=folder, stdin=secret)
    assert done.returncode == 0, done.stderr


def environ_of(gateway: GuideGateway, server: str) -> dict[str, str]:
    """The environment of a server's own process."""
    done = gateway.type(Command(("1mcp", "run", f"{server}/echo", "--json")))
    pid = json.loads(done.stdout)["structuredContent"]["pid"]
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


def test_the_samples_are_the_same_in_both_languages_but_for_their_remarks() -> None:
    for name in ("secrets", "production", "features", "server", "check"):
        bare = [re.sub(r" // .*", "", examples(page)[name].text) for page in (GUIDE, GUIDE_ZH)]
        assert bare[0] == bare[1]


@pytest.mark.parametrize("page", [GUIDE, GUIDE_ZH], ids=["en", "zh"])
def test_the_sample_loads_and_its_server_alone_gets_the_variable_and_the_secret(
    tmp_path: Path, page: Path
) -> None:
    keep(SECRET, tmp_path)
    config = examples(page)["secrets"].text
    program, *rest = command("--tools", 1)
    beside = json.dumps({"mcpServers": {"other": {"command": program, "args": rest}}})
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "other.json").write_text(beside)
    with GuideGateway(START, config, folder=tmp_path, environ=tools(tmp_path)) as gateway:
        gateway.wait_settled()
        own, other = environ_of(gateway, "database"), environ_of(gateway, "other")
        shown = gateway.type(PAGE["show"].command()).stdout
    assert (own["DATABASE_URL"], own["API_KEY"]) == (ADDRESS, SECRET)
    assert not {"DATABASE_URL", "API_KEY"} & set(other)
    assert "${SECRET:api-key}" in shown
    assert SECRET not in shown + gateway.transcript() + "".join(other.values())


@pytest.mark.parametrize("first", range(4), ids=["variable", "option", "file", "default"])
def test_the_order_is_variable_option_file_default(tmp_path: Path, first: int) -> None:
    """Each is given with all that come after it."""
    levels = ("debug", "warn", "error", "info")
    environ = {"ONE_MCP_LOG_LEVEL": levels[0]} if first == 0 else {}
    flags = ("--log-level", levels[1]) if first <= 1 else ()
    config = {"mcpServers": {}, **({"logging": {"level": levels[2]}} if first <= 2 else {})}
    (tmp_path / "mcp.json").write_text(json.dumps(config))
    argv = PAGE["show"].command().argv[1:]
    shown = onemcp(*argv, "logging.level", *flags, folder=tmp_path, environ=environ).stdout.splitlines()
    assert shown[0] == f"logging.level = {levels[first]}"
    assert shown[1].split(None, 1) == ["from", PLACES[first]]


def test_a_missing_secret_stops_only_its_server_and_one_that_comes_starts_it(tmp_path: Path) -> None:
    program, *rest = command("--tools", 1)
    config = json.loads(re.sub(r" // .*", "", PAGE["secrets"].text))
    config["mcpServers"]["other"] = {"command": program, "args": rest}
    with GuideGateway(START, config, folder=tmp_path, environ=tools(tmp_path)) as gateway:
        gateway.wait_settled()
        before = environ_of(gateway, "other")
        assert "${SECRET:api-key}: there is no such secret" in gateway.stdout
        keep(SECRET, tmp_path)
        gateway.wait_for_output("another secret than before: ${SECRET:api-key}")
        assert environ_of(gateway, "database")["API_KEY"] == SECRET
        assert environ_of(gateway, "other") == before


def test_production_is_laid_over_the_base(tmp_path: Path) -> None:
    program, *rest = command("--tools", 1)
    config = {
        "mcpServers": {
            "database": {"command": program, "args": rest, "env": {"POOL": "2", "KEPT": "1"}},
            "debug": {"command": program, "args": rest},
        }
    }
    (tmp_path / "mcp.production.json").write_text(PAGE["production"].text)
    start = PAGE["environment"].command()
    with GuideGateway(start, config, folder=tmp_path) as gateway:
        gateway.wait_settled()
        assert "1 of 1 server ready" in gateway.stdout
        own = environ_of(gateway, "database")
    assert (own["POOL"], own["KEPT"]) == ("20", "1")


def test_entries_are_edited_and_come_into_force_by_themselves(tmp_path: Path) -> None:
    config = '{\n  // mine\n  "mcpServers": {}\n}\n'
    add, disable, listed = PAGE["server"].commands()
    with GuideGateway(START, config, folder=tmp_path) as gateway:
        assert gateway.type(add).returncode == 0
        gateway.wait_for_output("began with clock")
        assert gateway.type(disable).returncode == 0
        gateway.wait_for_output("began anew with clock")
        assert "clock" in gateway.type(listed).stdout
    assert "  // mine\n" in gateway.config_file.read_text()


def test_check_diff_and_reload_say_what_is_the_matter(tmp_path: Path) -> None:
    program, *rest = command("--tools", 1)
    config = {"mcpServers": {"a": {"command": program, "args": rest}}}
    with GuideGateway(START, config, "--no-enable-config-reload", folder=tmp_path) as gateway:
        gateway.wait_settled()
        pid = environ_of(gateway, "a")
        gateway.config_file.write_text('{"mcpServers": {\n"a": {"comand": "x"}}}')
        for line in PAGE["check"].commands():
            done = gateway.type(line)
            assert "mcp.json:2:" in done.stdout + done.stderr
            assert "did you mean command?" in done.stdout + done.stderr
            assert done.returncode == 78
        assert environ_of(gateway, "a") == pid
        config["mcpServers"]["b"] = config["mcpServers"]["a"]
        gateway.config_file.write_text(json.dumps(config))
        check, diff, reload = (gateway.type(line) for line in PAGE["check"].commands())
        assert [check.returncode, diff.returncode, reload.returncode] == [0, 0, 0]
        assert "+ b" in diff.stdout
        assert "b" in reload.stdout


def test_features_of_the_page_are_off(tmp_path: Path) -> None:
    with GuideGateway(START, PAGE["features"].text, folder=tmp_path) as gateway:
        listed = gateway.type(PAGE["feature-list"].command()).stdout
    states = {words[0]: words[1] for line in listed.splitlines() if len(words := line.split()) > 2}
    assert (states["sampling"], states["alerts"], states["metrics"]) == ("off", "off", "on")
