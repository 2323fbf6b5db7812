"""``[sheets.NAME]``: Google sheets that are watched, each checked whole before anything starts."""

import base64
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec
from msgspec import Struct, field

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_RANGE = re.compile(r"[A-Z]{1,3}\d*:[A-Z]{1,3}\d*", re.ASCII)
_SPREADSHEET = re.compile(
    r"https://docs\.google\.com/spreadsheets/(?:u/\d+/)?d/[\w-]+(?:[/?#]\S*)?|[\w-]{5,}", re.ASCII
)
SOONEST, LATEST = 15.0, 86400.0
"""Seconds: Google lets one account read 60 times a minute, whatever number of sheets it reads."""
LONGEST_SETTLE = 3600.0


class SheetSettings(Struct, frozen=True, kw_only=True):
    """One sheet that is watched."""

    name: str
    connection: str
    """A ``google_sheets`` connection."""
    spreadsheet: str = ""
    """Id or link; default: the connection's."""
    sheet: str = ""
    """The tab; default: the first."""
    range: str = ""
    """Where in the tab, such as ``A3:K``; default: all of it."""
    every: float = 60.0
    """Seconds between two readings."""
    cron: str = ""
    """Instead of ``every``: hours at which it is read, as cron has them."""
    tz: str = "UTC"
    settle: float = 10.0
    """Seconds that a row must stay as it is before it is taken: whoever is typing it gets to its end."""
    ready: str = ""
    """The heading of a column that must say yes (a checkbox, ``yes``, ``x``) before a row is taken."""
    credits_per_day: Decimal | None = None
    """What the rows taken in a day (UTC) may cost together, in the account's unit; default: no limit."""
    columns: dict[str, str] = field(default_factory=dict[str, str])
    """What a column means that is not understood by its heading."""
    defaults: dict[str, str] = field(default_factory=dict[str, str])
    """What fills in empty cells, by field."""
    tags: tuple[str, ...] = ()
    priority: int = 0
    push_secret: str = ""
    """``whsec_…``: signs the hints of the Apps Script; default: none are taken."""


class _Written(Struct, forbid_unknown_fields=True):
    """A table as people write it."""

    connection: str
    spreadsheet: str = ""
    sheet: str = ""
    range: str = ""
    every: str = "60s"
    cron: str = ""
    tz: str = "UTC"
    settle: str = "10s"
    ready: str = ""
    credits_per_day: int | Decimal | None = None
    columns: dict[str, str] = field(default_factory=dict[str, str])
    defaults: dict[str, str] = field(default_factory=dict[str, str])
    tags: list[str] = field(default_factory=list[str])
    priority: int = 0
    push_secret: str = ""


def read_sheets(tables: Mapping[str, Any], environ: Mapping[str, str], problems: list[str]) -> dict[str, SheetSettings]:
    """What the tables say; ``problems`` gets a line for everything that is wrong, with its rule."""
    sheets: dict[str, SheetSettings] = {}
    for name, table in tables.items():
        where = f"[sheets.{name}]"
        if not _NAME.fullmatch(name):
            rule = "small letters, digits, `.`, `_` and `-`, at most 63, a letter or digit first"
            problems.append(f"{where}: {name[:80]!r} cannot name a sheet; a name has {rule}")
            continue
        try:
            written = msgspec.convert(_from_environment(where, table, environ, problems), _Written)
        except msgspec.ValidationError as error:
            problems.append(f"{where}: {error}")
            continue
        wrong = list(_wrong(written))
        problems += [f"{where} {problem}" for problem in wrong]
        if not wrong:
            sheets[name] = _read(name, written)
    return sheets


def _from_environment(where: str, table: Any, environ: Mapping[str, str], problems: list[str]) -> Any:
    if not isinstance(table, dict):
        return table
    values = dict(cast("dict[str, Any]", table))
    for key, value in values.items():
        if isinstance(value, str) and value.startswith("env:"):
            if value[4:] not in environ:
                problems.append(f"{where} {key} is {value!r}, but {value[4:]} is not set")
            values[key] = environ.get(value[4:], "")
    return values


def _wrong(written: _Written) -> list[str]:
    checks = {
        "connection": (bool(written.connection), "the name of a google_sheets connection"),
        "spreadsheet": (
            not written.spreadsheet or bool(_SPREADSHEET.fullmatch(written.spreadsheet)),
            "a spreadsheet's id or its link, as the browser shows it",
        ),
        "range": (not written.range or bool(_RANGE.fullmatch(written.range)), "like A1:K or A3:K500"),
        "every": (
            _seconds(written.every, SOONEST, LATEST) is not None,
            'a time from "15s" to "24h", such as "30s" or "5m": Google lets one account read 60 times a minute',
        ),
        "settle": (_seconds(written.settle, 0.0, LONGEST_SETTLE) is not None, 'a time from "0s" to "1h"'),
        "credits_per_day": (
            written.credits_per_day is None or 0 < written.credits_per_day < 10**9,
            "a number above 0; leave it out for no limit",
        ),
        "priority": (-9 <= written.priority <= 9, "a whole number from -9 to 9"),
    }
    problems = [
        f"{name} is {str(getattr(written, name))!r}; it must be {rule}"
        for name, (right, rule) in checks.items()
        if not right
    ]
    if written.push_secret and not _secret(written.push_secret):
        problems.append(
            "push_secret is (not shown); it must be whsec_ followed by base64 of 24 to 64 bytes; make one:"
            " python3 -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\""
        )
    return problems


def _read(name: str, written: _Written) -> SheetSettings:
    most = written.credits_per_day
    return SheetSettings(
        name=name,
        connection=written.connection,
        spreadsheet=written.spreadsheet,
        sheet=written.sheet,
        range=written.range,
        every=_seconds(written.every, SOONEST, LATEST) or SOONEST,
        cron=written.cron,
        tz=written.tz,
        settle=_seconds(written.settle, 0.0, LONGEST_SETTLE) or 0.0,
        ready=written.ready,
        credits_per_day=None if most is None else Decimal(most),
        columns=written.columns,
        defaults=written.defaults,
        tags=tuple(written.tags),
        priority=written.priority,
        push_secret=written.push_secret,
    )


def _seconds(text: str, least: float, most: float) -> float | None:
    match = _SPAN.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    return seconds if least <= seconds <= most else None


def _secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return text.startswith("whsec_") and 24 <= len(key) <= 64
