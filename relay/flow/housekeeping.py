"""What is done from time to time rather than for a task: APScheduler keeps the times, the journal does the work."""

import logging
from datetime import UTC, datetime
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from relay.clock import Clock
from relay.journal import Journal

from .reconcile import Reconciler

log = logging.getLogger("beatrelay")

DAY = 86400.0
COMPARE = 60
"""Seconds between two readings of the account; the first is at the start."""
WARY = 24
"""Hourly looks without deleting anything once the clock was seen to leap: time for somebody to set it right."""
CHUNK = 1000
"""Rows deleted in one transaction: small enough that no webhook waits for it."""


class Housekeeping:
    """Forgets what is older than ``retention_days``, never tasks or what they cost; and compares the books with the
    provider's."""

    def __init__(self, journal: Journal, clock: Clock, retention_days: int, reconciler: Reconciler) -> None:
        self._journal = journal
        self._clock = clock
        self._retention_days = retention_days
        self._looked, self._wary = clock.wall(), 0
        # None: late is better than never; the books are to be compared from the first moment, however slow the start
        rules = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler: Any = AsyncIOScheduler(timezone="UTC", job_defaults=rules)
        self._scheduler.add_job(self.forget, "interval", hours=1, jitter=300)
        first = datetime.now(UTC)
        self._scheduler.add_job(reconciler.check, "interval", seconds=COMPARE, next_run_time=first)

    def start(self) -> None:
        """Begin to keep the times."""
        self._scheduler.start()

    def stop(self) -> None:
        """Start nothing more."""
        self._scheduler.shutdown(wait=False)

    async def forget(self) -> int:
        """Delete what is old enough, a chunk at a time; returns how many rows. A clock that leaps ahead makes all of it
        old, so nothing goes at first."""
        wall = self._clock.wall()
        if wall - self._looked > DAY:
            self._wary = WARY
            text = "%.0f days passed at once (was the clock set, or did the machine sleep?): nothing is deleted today"
            log.warning(text, (wall - self._looked) / DAY)
        self._looked = wall
        if self._wary:
            self._wary -= 1
            return 0
        before, total = wall - self._retention_days * DAY, 0
        while deleted := await self._journal.forget(before, CHUNK):
            total += deleted
        if total:
            log.info("forgot %d records older than %d days", total, self._retention_days)
        return total
