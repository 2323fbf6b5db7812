"""Decides how much may be sent now: never more than the provider has slots for, never more than the balance pays.

What the account allows is read from the provider when it matters, and what it does not say is learnt from its refusals.
What runs is counted from our own tasks, which is known sooner; the provider's count adds what others run on the same
account. A refusal that waiting mends concerns the whole queue, for the next request would be refused just the same.
"""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from relay.clock import Clock
from relay.contract.pricing import BILLION
from relay.journal import Funds, Journal, Load, Operation
from relay.providers import Busy, Provider, Standing

FRESH, CHECK = 60.0, 10.0
"""Seconds after which the account is read again: while the queue moves, and while something holds it up."""
GHOST = 3600.0
"""A running task without news for so long is counted only if the provider counts it."""
WAIT_FIRST, WAIT_MOST = 2.0, 300.0
PROBE_FIRST, PROBE_MOST = 30.0, 600.0
"""How long one refused for its price waits until it is tried again on an unchanged balance that seems to suffice."""
LEARNT = 600.0
"""Seconds for which a limit learnt from a refusal counts while the account cannot be read."""
TOLD = 1000
"""Waiting tasks that get a line in their history when the queue pauses: the next ones, not all of a million."""

NO_BALANCE = "the balance does not cover it; top it up, and the queue goes on by itself"


class Room(Struct):
    """How many operations may be sent, and for how much."""

    slots: int
    funds: Funds | None = None


class QueueView(Struct):
    """What waits to be sent, and why it does. Times are Unix seconds."""

    waiting: int
    running: int
    """Tasks that use a slot, or may."""
    limit: int | None
    """Slots of the account; ``null`` while it cannot be asked."""
    paused_because: Literal["balance", "provider"] | None = None
    """Nothing is sent: the balance does not cover the next one, or the provider takes nothing now."""
    paused_since: float | None = None
    reason: str | None = None


class Pause(Struct):
    """Why nothing is sent, and when to look again."""

    because: Literal["balance", "provider"]
    reason: str
    since: float
    until: float
    needs: Decimal = Decimal(0)
    """The least that the next operation costs."""
    refused: bool = False
    """The provider said so itself, so that ``needs`` may be too little."""
    tried_at: Decimal | None = None
    """The balance with which it was refused."""
    probe_at: float = 0.0


class Governor:
    """Holds the queue back. One for each provider account; asked by the intake before each claim."""

    def __init__(self, journal: Journal, clock: Clock, provider: Provider) -> None:
        self._journal = journal
        self._clock = clock
        self._provider = provider
        self.standing: Standing | None = None
        """How the account stood when it was last read."""
        self.pause: Pause | None = None
        self._read_at = 0.0
        self._look_at = 0.0
        self._foreign = 0
        self._learnt: tuple[int, float] | None = None
        self._full_until = 0.0
        self._failures = 0
        self._probes = 0
        self.full = False
        """Whether all slots were in use when last asked."""

    async def room(self) -> Room:
        """What may be sent now. Reads the account if what is known of it is too old to decide by."""
        now = self._clock.now()
        if now >= self._look_at:
            await self.read()
        if self.pause is not None and not await self._over():
            return Room(0)
        load = await self._load(self._read_at)
        slots = self._slots(load)
        self.full = slots <= 0
        if self.full:
            self._look_at = min(self._look_at, self._read_at + CHECK) if self.standing else self._look_at
            return Room(0)
        return Room(slots, self._funds(load))

    def wait(self) -> float:
        """Seconds until it makes sense to ask again when nothing could be sent."""
        wake = self.pause.until if self.pause is not None else max(self._look_at, self._full_until)
        return max(0.05, wake - self._clock.now())

    @property
    def holds(self) -> bool:
        """Whether the queue waits for a slot or for money, and not for us."""
        return self.full or self.pause is not None

    async def view(self) -> QueueView:
        """The queue as people see it."""
        load = await self._load(self._read_at)
        limit = self.standing.limit if self.standing is not None else None
        view = QueueView(await self._journal.queue.waiting(), load.all + self._foreign, limit)
        if self.pause is not None:
            view.paused_because, view.paused_since = self.pause.because, self.pause.since
            view.reason = self.pause.reason
        return view

    async def read(self) -> Standing | None:
        """Read the account; ``None`` if that does not work now. What others run is what it counts beyond ours."""
        began = self._clock.now()
        before = await self._load(began)
        answer = await self._provider.standing()
        now = self._clock.now()
        if not isinstance(answer, Standing):
            self._look_at = now + CHECK
            return None
        after = await self._load(began)
        self.standing, self._read_at, self._learnt = answer, began, None
        self._foreign = max(0, answer.active - min(before.all, after.all))
        self._look_at = now + (CHECK if self._foreign or self.pause is not None else FRESH)
        return answer

    async def refused(self, busy: Busy, operation: Operation) -> None:
        """The provider had no slot, no money or no ear for ``operation``: hold everything back accordingly."""
        now = self._clock.now()
        if busy.lack == "slot":
            load = await self._load(self._read_at)
            self._learnt = (max(1, load.running + load.sending - 1), now + LEARNT)
            self._full_until = now + (busy.after or CHECK)
            self._look_at = now
        elif busy.lack == "balance":
            await self.short(operation, refused=True)
        else:
            wait = min(WAIT_FIRST * 2**self._failures, WAIT_MOST) * self._clock.jitter(1.0, 1.2)
            self._failures += 1
            until = now + max(wait, busy.after or 0.0)
            since = self.pause.since if self.pause is not None else now
            self.pause = Pause("provider", busy.reason, since, until)

    async def renew(self) -> None:
        """There is another key: what is known of the account, and what held the queue up, is void."""
        self.standing = self.pause = self._learnt = None
        self._failures = self._probes = self._foreign = 0
        self._full_until = 0.0
        await self.read()

    def accepted(self) -> None:
        """The provider took something: whatever held it up is over."""
        self._failures = self._probes = 0

    async def short(self, operation: Operation, *, refused: bool = False) -> None:
        """The balance does not cover ``operation``: nothing is sent until it does. ``refused``: the provider says so,
        whatever we know of the balance."""
        now, paused = self._clock.now(), self.pause
        first = paused is None or paused.because != "balance"
        pause = Pause("balance", NO_BALANCE, now, now) if paused is None or first else paused
        pause.needs = Decimal(operation.cost or 0) / BILLION if self._same_unit(operation) else Decimal(0)
        pause.until = self._look_at = now if first else now + CHECK
        if refused:
            pause.refused, pause.tried_at = True, None
            pause.probe_at = now + min(PROBE_FIRST * 2**self._probes, PROBE_MOST)
            self._probes += 1
        self.pause = pause
        if first:
            await self._journal.queue.told(now, "queue.paused", NO_BALANCE, TOLD)

    async def _over(self) -> bool:
        """Whether what paused the queue is over."""
        pause, now = self.pause, self._clock.now()
        assert pause is not None
        if now < pause.until:
            return False
        if pause.because == "provider":
            self.pause = None
            return True
        funds = self._funds(await self._load(self._read_at))
        if funds is None:
            pause.until = self._look_at
            over = pause.probe_at <= now
        else:
            over = self._covers(pause, Decimal(funds.amount) / BILLION, now)
            pause.until = self._look_at = now + CHECK
        if over:
            self.pause = None
            await self._journal.queue.untold(now, "queue.resumed", NO_BALANCE, TOLD)
        else:  # also those that came meanwhile
            await self._journal.queue.told(now, "queue.paused", NO_BALANCE, TOLD)
        return over

    def _covers(self, pause: Pause, balance: Decimal, now: float) -> bool:
        if balance <= 0 or balance < pause.needs:
            return False
        if not pause.refused:
            return True
        if pause.tried_at is None:
            pause.tried_at = balance
            return False
        return balance != pause.tried_at or now >= pause.probe_at

    async def _load(self, read_at: float) -> Load:
        """What runs of ours. Where an answer was lost before ``read_at``, the account that was read then counts it."""
        return await self._journal.queue.load(read_at, self._clock.now() - GHOST)

    def _slots(self, load: Load) -> int:
        now = self._clock.now()
        if now < self._full_until:
            return 0
        if self.standing is not None:
            return self.standing.limit - self._foreign - load.all
        if self._learnt is not None and now < self._learnt[1]:
            return self._learnt[0] - load.all
        return 1 - load.sending  # nothing is known: one at a time, until a refusal tells more

    def _funds(self, load: Load) -> Funds | None:
        if self.standing is None:
            return None
        spent = load.spent.get(self.standing.unit, 0)
        return Funds(int(self.standing.balance * BILLION) - spent, self.standing.unit)

    def _same_unit(self, operation: Operation) -> bool:
        return self.standing is None or operation.unit == self.standing.unit
