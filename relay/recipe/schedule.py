"""Hours at which a recipe fires: cron's five fields, in a time zone, read by APScheduler."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger

from .model import Schedule

_DAYS = re.compile(r"\d")


def wrong_schedule(schedule: Schedule) -> str:
    """What is wrong with it, and what to write; empty if nothing is."""
    try:
        _zone(schedule.tz)
    except ValueError as error:
        return str(error)
    fields = schedule.schedule.split()
    if len(fields) != 5:
        return (
            f"a schedule has five fields (minute hour day month weekday); {schedule.schedule!r} has {len(fields)}."
            ' Every Monday at nine is "0 9 * * mon"'
        )
    if _DAYS.search(fields[4]):
        return f"name the day of the week (mon, tue, …): programs disagree on which day {fields[4]!r} is"
    try:
        _trigger(schedule.schedule, schedule.tz)
    except ValueError as error:
        return f"the schedule {schedule.schedule!r} cannot be read: {error}"
    if next_time(schedule, datetime(2024, 1, 1, tzinfo=UTC).timestamp()) is None:
        return f"the schedule {schedule.schedule!r} names a day that never comes"
    return ""


def next_time(schedule: Schedule, after: float) -> float | None:
    """The first moment after ``after`` at which it fires (Unix seconds); ``None`` if it never does."""
    zone = _zone(schedule.tz)
    previous = datetime.fromtimestamp(after, zone)
    moment: Any = _trigger(schedule.schedule, schedule.tz).get_next_fire_time(previous, previous)
    return None if moment is None else moment.timestamp()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}; names look like Europe/Berlin") from error


@lru_cache(maxsize=256)
def _trigger(expression: str, tz: str) -> Any:
    trigger: Any = CronTrigger  # the library has no types
    return trigger.from_crontab(expression, timezone=_zone(tz))
