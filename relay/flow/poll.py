"""The reconciler: asks the provider how every open task stands, within one budget for all of them."""

import asyncio

from relay.clock import Clock
from relay.contract import Task, decode
from relay.journal import Entry, Journal, TaskRow
from relay.providers import Busy, MalformedWebhook, Missing, Provider, Told, Unclear

from .loop import Loop
from .observe import Observer, Pace, classify

AT_ONCE = 8
"""Polls under way at the same time: httpx degrades with more, and the budget is two a second anyway."""
BACKOFF_MOST = 300.0


class Budget:
    """So many polls a minute, never more in *any* minute: a small burst, then an even pace."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._burst = max(1.0, per_minute / 10)
        self._per_second = max(per_minute - self._burst, 1.0) / 60
        self._clock = clock
        self._tokens = self._burst
        self._at = clock.now()

    def take(self, most: int) -> int:
        """How many of ``most`` polls may go now; they are spent."""
        now = self._clock.now()
        if now > self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
            self._at = now
        taken = max(0, min(most, int(self._tokens)))
        self._tokens -= taken
        return taken

    def give_back(self, unused: int) -> None:
        """Return what was taken but not spent."""
        self._tokens = min(self._burst, self._tokens + unused)

    def pause(self, seconds: float) -> None:
        """The provider said that it was too much: nothing for so long, and then no burst."""
        self._tokens = 0.0
        self._at = max(self._at, self._clock.now() + seconds)

    def wait(self) -> float:
        """Seconds until the next poll may go."""
        pause = max(0.0, self._at - self._clock.now())
        return pause + max(0.0, (1.0 - self._tokens) / self._per_second)


class Poller(Loop):
    """Polls what is due. A webhook, or a new task, calls :meth:`nudge`. ``grace`` and ``lease`` are seconds: how long
    polls may fail before a webhook is believed, and after which a poll nobody reports back on is due again."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        provider: Provider,
        observer: Observer,
        pace: Pace,
        *,
        budget: Budget,
        grace: float,
        lease: float,
    ) -> None:
        super().__init__("poller", clock)
        self._journal = journal
        self._provider = provider
        self._observer = observer
        self._pace = pace
        self._budget = budget
        self._grace = grace
        self._lease = lease
        self._running: set[asyncio.Task[None]] = set()

    async def step(self) -> float:
        """Start the polls that are due; returns seconds until there may be more."""
        room = self._budget.take(AT_ONCE - len(self._running))
        if room == 0:
            return self._budget.wait() if len(self._running) < AT_ONCE else 1.0
        tasks = await self._journal.tasks.claim_polls(self._clock.now(), room, self._lease)
        self._budget.give_back(room - len(tasks))
        for task in tasks:
            self.spawn(self._running, self.poll(task))
        return self.until(await self._journal.tasks.next_poll())

    async def drain(self) -> None:
        await self.finish(self._running)

    async def poll(self, task: TaskRow) -> None:
        """Ask once how ``task`` stands and take the answer in."""
        if task.provider_id is None:
            return
        answer = await self._provider.fetch(task.provider_id)
        match answer:
            case Told():
                await self._observer.observe(task, answer, "poll")
            case Busy(reason=reason, after=after):
                self._budget.pause(after or 5.0)
                await self._failed(task, reason, after)
            case Unclear(reason=reason, after=after):
                await self._failed(task, reason, after)
            case Missing(reason=reason):
                await self._failed(task, reason, None)

    async def _failed(self, task: TaskRow, reason: str, after: float | None) -> None:
        if task.poll_failures == 0:
            await self._journal.tasks.note(
                Entry(task_id=task.id, at=self._clock.now(), kind="poll.failed", data={"reason": reason})
            )
        if await self._believe_the_webhook(task):
            return
        wait = min(self._clock.jitter(self._pace.least, self._pace.most) * 2**task.poll_failures, BACKOFF_MOST)
        if task.hint_receipt is not None and task.woken_at is not None:
            # come back when the grace time is over, not only when the backoff is
            wait = min(wait, max(self._pace.least, task.woken_at + self._grace - self._clock.now()))
        await self._journal.tasks.polled(task, self._clock.now() + max(wait, after or 0.0), failed=True)

    async def _believe_the_webhook(self, task: TaskRow) -> bool:
        """After the grace time a signed webhook alone leads to the finish; a poll confirms it later."""
        if task.hint_receipt is None or task.woken_at is None or not task.confirmed:
            return False
        if self._clock.now() < task.woken_at + self._grace:
            return False
        receipt = await self._journal.receipts.get(task.hint_receipt)
        if receipt is None:
            return False
        try:
            told = self._provider.told_by_webhook(receipt.body)
        except MalformedWebhook:
            return False
        if classify(told.task.status) is None or told.task.updated_at < last_update(task):
            return False
        await self._observer.observe(task, told, "webhook")
        return True


def last_update(task: TaskRow) -> int:
    """The provider's own time of the latest word we have; 0 if none."""
    return decode(task.observed, Task).updated_at if task.observed else 0
