"""The settings of the gateway as options of a command, from the table of them."""

import argparse
from collections.abc import Collection
from typing import Any, Final

from onemcp.cli.arguments import Parser
from onemcp.config.setting import Kind, Setting
from onemcp.config.settings import flags

_WORDS: Final = {
    Kind.NAME: "NAME",
    Kind.PATH: "PATH",
    Kind.INTEGER: "N",
    Kind.MILLISECONDS: "MS",
    Kind.FRACTION: "0..1",
    Kind.URL: "URL",
}


def add_settings(parser: Parser, names: Collection[str] = ()) -> None:
    """Every setting that can be typed, or those that are named, in groups as the configuration file has them.

    Values stay texts, which `settings.resolve` reads.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in flags():
        if names and setting.name not in names:
            continue
        head = _head(setting)
        if head not in groups:
            groups[head] = parser.add_argument_group(head)
        spelled = [setting.short, setting.flag] if setting.short else [setting.flag]
        groups[head].add_argument(*spelled, dest=setting.name, help=_help(setting), **_manner(setting))


def typed_settings(args: argparse.Namespace) -> dict[str, object]:
    """What was typed, by attribute name."""
    names = {setting.name for setting in flags()}
    return {name: value for name, value in vars(args).items() if name in names and value is not None}


def _head(setting: Setting) -> str:
    """The section that a setting stands in; those of the top are together."""
    if setting.name.startswith("secrets_"):
        return "secrets"
    return setting.key.partition(".")[0] if "." in setting.key else "gateway"


def _help(setting: Setting) -> str:
    default = setting.default
    if setting.kind in (Kind.TEXT, Kind.CHOICE, Kind.INTEGER):
        shown = f"default {default}{' ' + setting.unit if setting.unit else ''}; "
    elif setting.kind is Kind.MILLISECONDS:
        shown = f"default {default:g} ms; "
    elif setting.kind is Kind.FRACTION:
        shown = f"default {default:g}; "
    else:
        shown = ""
    return f"{setting.help} ({shown}{setting.variable})".replace("%", "%%")


def _manner(setting: Setting) -> dict[str, Any]:
    """What argparse needs beside name and help."""
    if setting.kind is Kind.BOOLEAN:
        return {"action": argparse.BooleanOptionalAction, "default": argparse.SUPPRESS}
    if setting.kind is Kind.LIST:
        return {"action": "append", "metavar": "NAME,..."}
    if setting.kind is Kind.CHOICE:
        return {"metavar": "|".join(setting.choices)}
    return {"metavar": _WORDS.get(setting.kind, "TEXT")}
