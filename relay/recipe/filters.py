"""Filters that this work needs, besides Jinja's harmless ones."""

import html
import json
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10))}
NAME_BYTES = 120


def date(value: Any, format: str = "%Y-%m-%d", tz: str = "UTC") -> str:
    """Unix seconds or ISO text as a date: ``task.created_at | date('%Y/%m')``, ``date('%H:%M', 'Asia/Tokyo')``."""
    if len(format) > 100:
        raise ValueError("date: the format is too long")
    try:
        zone = ZoneInfo(tz) if tz != "UTC" else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"date: there is no time zone {tz!r}") from error
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"date: {value!r} is neither Unix seconds nor an ISO date") from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.astimezone(zone).strftime(format)


def slugify(value: Any) -> str:
    """``Rooftop Season (Live)`` → ``rooftop-season-live``."""
    plain = unicodedata.normalize("NFKD", str(value)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def filesize(value: Any) -> str:
    """Bytes for people: ``12.3 MB`` (decimal units, as stores and browsers show them)."""
    size = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration(value: Any) -> str:
    """Seconds as ``3:05``, or ``1:02:03`` from an hour on."""
    seconds = round(float(value))
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
    return f"-{text}" if seconds < 0 else text


def to_json(value: Any) -> str:
    """The value as JSON text."""
    return json.dumps(value, ensure_ascii=False, default=_number)


def slack(value: Any) -> str:
    """Text that Slack shows as it is: ``&``, ``<`` and ``>`` escaped."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_escape(value: Any) -> str:
    """As ``slack``, and without formatting: ``*``, ``_``, ``~`` and backticks stay as they are written."""
    return re.sub(r"([*_~`])", "\u200b\\1\u200b", slack(value))


def markdown(value: Any) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+.!|~-])", r"\\\1", str(value))


def escape(value: Any) -> str:
    """Text that HTML shows as it is, also within quotes."""
    return html.escape(str(value))


def filename(value: Any) -> str:
    """A file name that is safe on every system; keeps letters of all languages and the extension."""
    cleaned = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", unicodedata.normalize("NFC", str(value))).strip(" .")
    stem, dot, extension = cleaned.rpartition(".")
    if not dot or len(extension) > 10:
        stem, dot, extension = cleaned, "", ""
    if stem.partition(".")[0].lower() in _RESERVED:
        stem = f"_{stem}"
    room = NAME_BYTES - len((dot + extension).encode())
    short = stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .")
    return f"{short or '_'}{dot}{extension}"


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"json: a {type(value).__name__} cannot be written as JSON")


FILTERS = {
    "date": date,
    "slugify": slugify,
    "filesize": filesize,
    "duration": duration,
    "json": to_json,
    "slack": slack,
    "slack_escape": slack_escape,
    "markdown": markdown,
    "e": escape,
    "filename": filename,
}
