"""Settings: what holds now, where each came from, and what it means. They are changed outside and read at the start."""

from typing import Any

from litestar import get
from litestar.response import Template
from msgspec import Struct

from relay.contract.pricing import RATES, RateTable
from relay.settings import COMMAND, Settings
from relay.settings_table import SETTINGS, Setting

from .parts import TheSettings


class SettingLine(Struct):
    """One setting as the page shows it."""

    setting: Setting
    value: str
    """Of a secret only whether there is one."""
    origin: str
    """Empty: nobody set it."""


@get("/settings")
async def settings_page(settings: TheSettings) -> Template:
    """Every effective setting."""
    lines = [line_of(setting, settings) for setting in SETTINGS]
    groups: dict[str, list[SettingLine]] = {"beatapi": [], "relay": []}
    for line in lines:
        groups[line.setting.path[0]].append(line)
    context: dict[str, Any] = {
        "groups": groups,
        "titles": {"beatapi": "Beat API", "relay": "The relay"},
        "own": sum(1 for line in lines if line.origin),
        "rates": rates_of(settings.rates),
        "connections": sorted(settings.connections),
    }
    return Template("settings.html", context=context)


def line_of(setting: Setting, settings: Settings) -> SettingLine:
    """The value in the form in which it would be written."""
    value, origin = getattr(settings, setting.field), settings.origins.get(setting.field, "")
    if not origin and value != getattr(Settings(), setting.field):
        origin = COMMAND
    if setting.secret:
        return SettingLine(setting, "set" if value else "not set", origin)
    if setting.field == "vault_file":
        value = settings.vault_path
    return SettingLine(setting, _text(value), origin)


def rates_of(table: RateTable) -> list[tuple[str, str, str, bool]]:
    """Name, credits, dollars, and whether either is another than the relay's own."""
    ordinary, found = RateTable(), list[tuple[str, str, str, bool]]()
    for name in sorted(RATES):
        units, usd = getattr(table.credits, name), getattr(table.usd, name)
        changed = (units, usd) != (getattr(ordinary.credits, name), getattr(ordinary.usd, name))
        found.append((name, f"{units:f}", f"{usd:f}", changed))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{value:g}" if isinstance(value, float) else str(value)
