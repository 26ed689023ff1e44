"""Prints the reference of all settings, from the one table of them.

.venv/bin/python docs/reference/generate.py > docs/reference/settings.md
"""  # noqa: INP001 - a script among pages, no package

import sys
from typing import Final

from onemcp.config.setting import Kind, Setting
from onemcp.config.table import TABLE

HEAD: Final = """\
# Settings

Made from `src/onemcp/config/table.py` by `docs/reference/generate.py`; change it there.

A value comes from the environment variable, else from the option, else from the configuration file, else it is the
default. Where a variable overrides an option that was typed, start-up says so. Lists are separated by commas in
variables and options and are arrays in the file. Boolean options need no value.

A setting with "yes" under "reload" counts as soon as the file has changed, others count from the next start. A
setting without an option is secret: other users of the machine could read an option.

| option | variable | key in the file | value | unit | default | reload | |
|---|---|---|---|---|---|---|---|
"""


def row(setting: Setting) -> str:
    """One line of the table."""
    cells = (
        ", ".join(f"`{name}`" for name in (setting.flag, setting.short) if name),
        f"`{setting.variable}`",
        f"`{setting.key}`" if setting.key else "",
        setting.accepts,
        setting.unit,
        default(setting),
        "yes" if setting.reloadable else "",
        setting.help,
    )
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def default(setting: Setting) -> str:
    """The default, as it would be written in the file."""
    if setting.kind is Kind.BOOLEAN:
        return "`true`" if setting.default else "`false`"
    if isinstance(setting.default, tuple):
        return f"`{','.join(setting.default)}`" if setting.default else ""
    if isinstance(setting.default, float):
        return f"`{setting.default:g}`"
    return f"`{setting.default}`" if setting.default or setting.default == 0 else ""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(row, TABLE))


if __name__ == "__main__":
    sys.stdout.write(page())
