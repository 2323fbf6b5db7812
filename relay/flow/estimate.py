"""What requests will cost and how long they will take, before anything is sent."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median
from typing import Any, Literal

import msgspec
from msgspec import Struct

from relay.contract import Credits, Task, Unit, pricing
from relay.contract.pricing import Estimate, RateTable
from relay.journal import Journal, TaskRow

from .govern import Governor

TYPICAL_SECONDS = {"music-video": 90.0, "ecommerce-video": 90.0}
"""Until the first finishes tell better."""
RECENT = 100


class Prices:
    """The rate table, in the unit that the account is kept in."""

    def __init__(self, rates: RateTable, governor: Governor) -> None:
        self._rates = rates
        self._governor = governor

    @property
    def unit(self) -> Unit:
        standing = self._governor.standing
        return standing.unit if standing is not None else "credits"

    def create(self, workflow: str, body: str) -> Estimate:
        """What a create costs. ``body`` has passed the check of inputs."""
        return pricing.create(self._rates.of(self.unit), workflow, _object(body))

    def operation(self, task: TaskRow, kind: Literal["edit", "compose"], body: str, target: str) -> Estimate:
        """What an edit or a compose costs."""
        rates = self._rates.of(self.unit)
        if kind == "compose":
            return pricing.compose(rates)
        return pricing.edit(rates, _object(body), _object(task.request), _shot_seconds(task, target))


class Quote(Struct):
    """What a batch will cost, against what there is. Amounts are in `unit`."""

    unit: Unit
    items: list[Estimate]
    least: Credits
    most: Credits
    unknown: int
    """Items that the rate table does not know; they are in no total."""
    balance: Credits | None
    """``null`` while Beat API cannot be asked."""
    enough: Literal["yes", "no", "perhaps"] | None
    concurrency: int | None
    seconds: float
    """Expected time until all are finished, at the account's concurrency, once their turn has come."""


class Quotes:
    """Estimates for a request or a whole batch of them."""

    def __init__(self, journal: Journal, governor: Governor, prices: Prices) -> None:
        self._journal = journal
        self._governor = governor
        self._prices = prices

    @property
    def unit(self) -> Unit:
        """What amounts are in."""
        return self._prices.unit

    async def quote(self, requests: Sequence[tuple[str, str]], *, fresh: bool = True) -> Quote:
        """For (workflow, body) pairs that have passed the check of inputs. ``fresh``: the provider is asked for the
        balance first."""
        standing = (await self._governor.read() if fresh else None) or self._governor.standing
        items = [self._prices.create(workflow, body) for workflow, body in requests]
        known = [item for item in items if item.least is not None]
        least = sum((item.least for item in known if item.least is not None), Decimal(0))
        most = sum((item.most for item in known if item.most is not None), Decimal(0))
        balance = standing.balance if standing is not None else None
        enough: Literal["yes", "no", "perhaps"] | None = None
        if balance is not None:
            enough = "no" if balance < least else "yes" if balance >= most and len(known) == len(items) else "perhaps"
        limit = standing.limit if standing is not None else None
        work = await self._seconds([workflow for workflow, _ in requests])
        return Quote(
            unit=self._prices.unit,
            items=items,
            least=least,
            most=most,
            unknown=len(items) - len(known),
            balance=balance,
            enough=enough,
            concurrency=limit,
            seconds=round(max(sum(work) / max(limit or 1, 1), max(work, default=0.0)), 1),
        )

    def price(self, workflow: str, body: str) -> Estimate:
        """Of one request, by what is known; asks nobody."""
        return self._prices.create(workflow, body)

    async def _seconds(self, workflows: Sequence[str]) -> list[float]:
        """How long each takes: the median of the last finishes of its kind."""
        seen: dict[str, list[float]] = {}
        for workflow, seconds in await self._journal.queue.durations(RECENT):
            seen.setdefault(workflow, []).append(seconds)
        typical = {**TYPICAL_SECONDS, **{workflow: median(seconds) for workflow, seconds in seen.items()}}
        return [typical.get(workflow, 90.0) for workflow in workflows]


def _object(body: str) -> dict[str, Any]:
    """The body as far as prices need it. What cannot be read costs what the defaults cost: it will be refused."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _shot_seconds(task: TaskRow, shot_id: str) -> int | None:
    told = msgspec.json.decode(task.observed, type=Task) if task.observed else None
    shots = told.storyboard.shots if told is not None and told.storyboard else []
    for shot in shots:
        if shot.id == shot_id and isinstance(shot.duration_seconds, Decimal):
            return int(shot.duration_seconds)
    return None
