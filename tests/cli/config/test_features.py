"""`1mcp config features` where no gateway runs."""

import json
from pathlib import Path

from tests.support.gateway import onemcp

from onemcp.config.table import TABLE


def test_every_feature_is_listed_with_state_origin_and_meaning(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {},\n "features": {"alerts": false}}')
    done = onemcp("config", "features", "--no-feature-sampling", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = {each["feature"]: each for each in json.loads(done.stdout)["features"]}
    rows = {row.key.removeprefix("features."): row for row in TABLE if row.key.startswith("features.")}
    assert found.keys() == rows.keys()
    for name, each in found.items():
        assert each["meaning"] == rows[name].help
        assert each["on"] is (name not in ("alerts", "sampling"))
    assert found["alerts"]["origin"] == "mcp.json:2"
    assert found["sampling"]["origin"] == "flag --feature-sampling"
    assert found["roots"]["origin"] == "default"


def test_a_table_is_printed_for_people_and_says_what_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}, "features": {"alerts": false}}')
    lines = onemcp("config", "features", folder=tmp_path).stdout.splitlines()
    assert lines[0].split() == ["feature", "state", "origin", "meaning"]
    assert ["alerts", "off", "mcp.json:1"] in [line.split()[:3] for line in lines]
    assert lines[-1] == "as mcp.json has it; no gateway runs here"


def test_a_faulty_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {}, "features": {"alert": false}}')
    done = onemcp("config", "features", folder=tmp_path)
    assert done.returncode == 78
    assert "did you mean alerts?" in done.stdout
