"""Time, chance and names, as arguments: so that the whole line also runs in virtual time from a seed."""

import asyncio
import logging
import os
import random
import time
from typing import Protocol

log = logging.getLogger("beatrelay")

CATCH_UP = 0.5
"""How fast our time goes on while it waits for a clock that was set back."""
SET_BACK = 60.0
"""Seconds by which a clock must have been set back to be worth a word."""


class Clock(Protocol):
    """What the line may know of time and chance."""

    def now(self) -> float:
        """Unix seconds; they only ever go on, so that whatever is due at a time becomes due."""
        ...

    def wall(self) -> float:
        """Unix seconds as the machine's clock has them, which somebody may set back: for what others compare with
        theirs, such as the time in a signature, and for hours of the day."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def jitter(self, low: float, high: float) -> float:
        """A number drawn evenly between ``low`` and ``high``."""
        ...

    def new_id(self, prefix: str) -> str:
        """A new id such as ``task_019e…``: sorts by time of making, 80 random bits, no two alike."""
        ...


class SystemClock:
    """The machine's own time and chance."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()
        self._last_ms = 0
        self._chance = b""
        self._now, self._steady = 0.0, time.monotonic()
        self._waits = False

    def now(self) -> float:
        wall, steady = time.time(), time.monotonic()
        least = self._now + (steady - self._steady) * CATCH_UP
        self._now, self._steady = max(wall, least), steady
        waits = least - wall > SET_BACK
        if waits and not self._waits:
            text = "the machine's clock was set back by %.0f s: until it has caught up, waits take twice as long"
            log.warning(text, least - wall)
        self._waits = waits
        return self._now

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jitter(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def new_id(self, prefix: str) -> str:
        self._last_ms = max(self._last_ms, int(self.now() * 1000))
        if len(self._chance) < 10:
            self._chance = os.urandom(4000)  # asked for in bulk: one system call serves 400 ids
        chance, self._chance = self._chance[:10], self._chance[10:]
        return sortable(prefix, self._last_ms, chance)


def minted_at(id: str) -> float | None:
    """When an id was made by :func:`sortable` (Unix seconds); ``None``: it was not."""
    digits = id.rpartition("_")[2]
    if len(digits) != 32 or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return int(digits[:12], 16) / 1000
    except ValueError:
        return None


def sortable(prefix: str, milliseconds: int, chance: bytes) -> str:
    """``prefix_`` and 32 hexadecimal digits: 48 bits of time, then 80 of chance. Sorts as text by time."""
    return f"{prefix}_{milliseconds:012x}{chance.hex()}"
