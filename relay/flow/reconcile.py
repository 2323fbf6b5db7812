"""Compares our books with the provider's own totals: what was spent that this relay knows nothing of?

Both sides are counted from the same moment on. While tasks run, the two differ for moments; only a difference that
stays the same for a while is worth a word.
"""

import logging
from typing import Literal

from msgspec import Struct

from relay.clock import Clock
from relay.contract import Credits, Unit
from relay.contract.pricing import amount, billionths
from relay.journal import Balance, Baseline, Journal
from relay.providers import Provider, Standing

from .govern import Governor

log = logging.getLogger("beatrelay")

LASTING = 120.0
"""Seconds that a difference must last unchanged to count."""


class Totals(Struct):
    """Since the comparison began."""

    tasks: int
    settled: Credits
    refunded: Credits


class Reconciliation(Struct):
    """The provider's totals against ours."""

    agrees: bool | None
    """``null``: there is a difference, but it is younger than two minutes; or Beat API cannot be asked."""
    unit: Unit
    since: float | None
    """When the comparison began (Unix seconds); ``null``: not yet."""
    provider: Totals | None = None
    relay: Totals | None = None
    difference: Totals | None = None
    """The provider's minus ours: more means that something was asked for elsewhere with the same account, or that an
    answer was lost and is unconfirmed."""
    unconfirmed: int = 0


_Numbers = tuple[int, int, int]


class Reconciler:
    """Keeps the comparison; :meth:`check` is called from time to time, and when somebody asks."""

    def __init__(self, journal: Journal, clock: Clock, provider: Provider, governor: Governor) -> None:
        self._journal = journal
        self._clock = clock
        self._provider = provider
        self._governor = governor
        self._differs: tuple[_Numbers, float] | None = None
        self.state: Literal["agrees", "differs", "unknown"] = "unknown"

    async def check(self) -> Reconciliation:
        """Read both sides anew and compare."""
        standing = await self._governor.read()
        if standing is None:
            self.state = "unknown"
            return Reconciliation(None, "credits", None)
        unit = standing.unit
        ours = await self._journal.ledger.balance(unit)
        base = await self._journal.ledger.baseline(self._provider.name)
        if base is None or base.unit != unit:
            if standing.active or await self._busy():
                self.state = "unknown"  # what runs now would be counted on one side only
                return Reconciliation(None, unit, None)
            base = self._baseline(standing, ours)
            await self._journal.ledger.begin(base)
        theirs = _minus(_of(standing), (base.their_tasks, base.their_settled, base.their_refunded))
        mine = _minus((ours.tasks, ours.settled, ours.refunded), (base.our_tasks, base.our_settled, base.our_refunded))
        return Reconciliation(
            self._judge(_minus(theirs, mine)),
            unit,
            base.at,
            _totals(theirs),
            _totals(mine),
            _totals(_minus(theirs, mine)),
            (await self._journal.pulse()).unconfirmed,
        )

    async def _busy(self) -> bool:
        pulse = await self._journal.pulse()
        load = await self._journal.queue.load(0.0, 0.0)
        return bool(load.all or pulse.unconfirmed)

    def _judge(self, difference: _Numbers) -> bool | None:
        now = self._clock.now()
        if difference == (0, 0, 0):
            self._differs, self.state = None, "agrees"
            return True
        if self._differs is None or self._differs[0] != difference:
            self._differs = (difference, now)
        if now - self._differs[1] < LASTING:
            return None
        if self.state != "differs":
            tasks, settled, refunded = difference
            log.warning(
                "the provider counts %+d tasks, %+f settled, %+f refunded beyond ours; see /relay/v1/reconciliation",
                tasks,
                amount(settled),
                amount(refunded),
            )
        self.state = "differs"
        return False

    def _baseline(self, standing: Standing, ours: Balance) -> Baseline:
        """With nothing of ours at the provider, what it counts was there before; what we count of it, we brought."""
        tasks, settled, refunded = _of(standing)
        return Baseline(
            self._provider.name,
            self._clock.now(),
            standing.unit,
            tasks,
            settled,
            refunded,
            ours.tasks,
            ours.settled,
            ours.refunded,
        )


def _of(standing: Standing) -> _Numbers:
    return standing.tasks, billionths(standing.settled) or 0, billionths(standing.refunded) or 0


def _minus(one: _Numbers, other: _Numbers) -> _Numbers:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _totals(numbers: _Numbers) -> Totals:
    return Totals(numbers[0], amount(numbers[1]), amount(numbers[2]))
