"""What every worker of the line shares: it runs until stopped, never dies of one bad turn, and drains."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from relay.clock import Clock
from relay.journal import Unavailable

T = TypeVar("T")

log = logging.getLogger("beatrelay")

IDLE = 5.0
"""Longest nap in seconds: a second look costs little, and a missed nudge must not cost much."""
STUMBLE, STUMBLE_MOST = 1.0, 8.0
"""Seconds to wait after a turn that failed, doubled after each that fails again, so that a broken disk does not spin a
processor."""


class Loop(ABC):
    """A worker: :meth:`step` does what is due and says how long to nap."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._nudged = asyncio.Event()
        self._stopping = False
        self._stumbles = 0
        self._spawned: set[asyncio.Task[None]] = set()
        self.stepped_at = clock.now()

    @abstractmethod
    async def step(self) -> float:
        """Do what is due now; returns seconds until there may be more."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait for what is under way."""

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        while not self._stopping:
            self._nudged.clear()
            try:
                nap = await self.step()
                self.stepped_at, self._stumbles = self._clock.now(), 0
            except Unavailable:  # the journal has logged it, once, and readiness is red
                nap = self._stumble()
            except Exception:  # a loop must outlive any one failure: it is logged, and readiness turns red
                log.exception("the %s stumbled; it goes on", self.name)
                nap = self._stumble()
            await self._nap(nap)

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """What ``write`` gives, tried for as long as the journal cannot be used: what it writes down has happened, and
        would otherwise be done again."""
        failures = 0
        while True:
            try:
                return await write()
            except Unavailable:
                await self._clock.sleep(_backoff(failures))
                failures += 1

    def nudge(self) -> None:
        """There is something to do now."""
        self._nudged.set()

    def rest(self) -> None:
        """Take nothing new from now on."""
        self._stopping = True
        self.nudge()

    async def stop(self) -> None:
        """Take nothing new and wait for what is under way."""
        self.rest()
        await self.drain()

    async def abandon(self) -> None:
        """Break off what is under way and write nothing down: it stays leased, and is due again at the next start."""
        left = list(self._spawned)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def until(self, due: float | None) -> float:
        """Seconds from now until ``due``, at most :data:`IDLE`."""
        return IDLE if due is None else min(max(0.0, due - self._clock.now()), IDLE)

    def spawn(self, running: set[asyncio.Task[None]], work: Coroutine[Any, Any, None], *, nudges: bool = True) -> None:
        """Run ``work`` beside the loop. When it ends, the loop is nudged, for there is room again; one that ``nudges``
        not has said so itself, unless it failed."""
        task = asyncio.create_task(work)
        running.add(task)
        self._spawned.add(task)
        task.add_done_callback(lambda done: self._ended(running, done, nudges=nudges))

    async def finish(self, running: set[asyncio.Task[None]]) -> None:
        """Wait for all of ``running``."""
        while running:
            await asyncio.wait(set(running))

    def _ended(self, running: set[asyncio.Task[None]], task: asyncio.Task[None], *, nudges: bool) -> None:
        running.discard(task)
        self._spawned.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Unavailable):
            log.error("work of the %s failed; it will be due again", self.name, exc_info=error)
        if nudges or error is not None:
            self.nudge()

    def _stumble(self) -> float:
        self._stumbles += 1
        return _backoff(self._stumbles - 1)

    async def _nap(self, seconds: float) -> None:
        if self._stopping or seconds <= 0 or self._nudged.is_set():
            return
        nap = asyncio.ensure_future(self._clock.sleep(seconds))
        nudged = asyncio.ensure_future(self._nudged.wait())
        _, pending = await asyncio.wait({nap, nudged}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in pending:
            waiting.cancel()


def _backoff(failures: int) -> float:
    return min(STUMBLE * 2.0 ** min(failures, 10), STUMBLE_MOST)
