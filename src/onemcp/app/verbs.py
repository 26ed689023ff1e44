"""The operator's verbs about the configuration: reload it, see what a reload would do, see what is in force."""

from collections.abc import Mapping
from typing import Any

from onemcp.app.configuration import Candidate, Configuration
from onemcp.config.change import Change
from onemcp.config.setting import Setting
from onemcp.config.settings import Settings
from onemcp.config.table import TABLE
from onemcp.core.plan import differences, plan
from onemcp.core.readable import readable
from onemcp.core.redact import SECRET
from onemcp.ops.control import Verb


def verbs(configuration: Configuration) -> dict[tuple[str, str], Verb]:
    """By method and path. A configuration that is faulty is an error of type `ConfigError`."""

    async def reload(_: Mapping[str, str]) -> object:
        return report(await configuration.reload())

    async def diff(_: Mapping[str, str]) -> object:
        return report(await configuration.preview())

    async def settings(_: Mapping[str, str]) -> object:
        return {"settings": in_force(configuration.settings)}

    return {("POST", "/reload"): reload, ("GET", "/diff"): diff, ("GET", "/settings"): settings}


def report(candidate: Candidate) -> dict[str, Any]:
    """What a configuration changes, by name; no value of a server's entry, and no secret, is in it."""
    steps = plan(candidate.before, candidate.specs)
    before = {spec.name: spec for spec in candidate.before}
    servers: list[dict[str, Any]] = [
        {"name": spec.name, "change": "add", "because": []} for spec in steps.add
    ]
    servers += [{"name": spec.name, "change": "remove", "because": []} for spec in steps.remove]
    for change, specs in (("replace", steps.replace), ("update", steps.update)):
        servers += [
            {"name": spec.name, "change": change, "because": list(differences(before[spec.name], spec))}
            for spec in specs
        ]
    return {
        "file": readable(candidate.settings.config),
        "servers": servers,
        "kept": len(steps.keep),
        "settings": [_change(change) for change in candidate.changes],
        "notices": [*candidate.settings.notices, *candidate.document.notices],
    }


def in_force(settings: Settings) -> list[dict[str, Any]]:
    """Every setting with its value and where that comes from."""
    return [
        {
            "setting": row.name,
            "key": row.key,
            "value": _shown(row, getattr(settings, row.name)),
            "origin": settings.origins.get(row.name, ""),
        }
        for row in TABLE
    ]


def _change(change: Change) -> dict[str, Any]:
    row = change.setting
    return {
        "setting": row.name,
        "key": row.key,
        "from": _shown(row, change.before),
        "to": _shown(row, change.after),
        "origin": change.origin,
        "restart": change.needs_restart,
    }


def _shown(row: Setting, value: object) -> object:
    return SECRET if row.secret and value else value
