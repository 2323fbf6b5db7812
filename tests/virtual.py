"""Virtual time: hours pass in a moment, and every run from a seed is the same."""

import asyncio
import heapq
import random


class VirtualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, seed: int = 0, now: float = 1_784_188_800.0) -> None:
        self._now = now
        self.ahead = 0.0
        """Seconds by which the machine's own clock is off."""
        self._random = random.Random(seed)
        self._ids = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self.ahead

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ids += 1
        heapq.heappush(self._sleepers, (self._now + max(0.0, seconds), self._ids, waking))
        await waking

    def jitter(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids:08}"

    def advance(self, seconds: float) -> None:
        """Move the time on; whoever slept until then wakes."""
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                waking.set_result(None)

    def until_next(self) -> float | None:
        """Seconds until the next sleeper wakes; ``None`` if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] - self._now if self._sleepers else None
