"""The money ledger: what the provider said that each task cost, line by line."""

from typing import Literal, Protocol

from msgspec import Struct

from relay.contract import Unit

By = Literal["task", "batch", "client", "day"]


class LedgerSum(Struct):
    """Sums of one task, batch, client or day, in billionths of one unit."""

    name: str
    unit: Unit
    tasks: int
    reserved: int
    charged: int
    settled: int
    refunded: int


class Balance(Struct):
    """How our books stand in one unit, in billionths; and how many tasks the provider has accepted from us."""

    tasks: int
    settled: int
    refunded: int


class Baseline(Struct):
    """Where the comparison with the provider's own totals began."""

    provider: str
    at: float
    unit: Unit
    their_tasks: int
    their_settled: int
    their_refunded: int
    our_tasks: int
    our_settled: int
    our_refunded: int


class LedgerStore(Protocol):
    """Reads the books; they are written together with the news that changes them."""

    async def sums(self, by: By, since: float, until: float, limit: int, after: str = "") -> list[LedgerSum]:
        """By name; ``after`` is the last name of the page before."""
        ...

    async def balance(self, unit: Unit) -> Balance: ...

    async def baseline(self, provider: str) -> Baseline | None: ...

    async def begin(self, baseline: Baseline) -> None:
        """Compare from here on, unless that began already in the same unit."""
        ...
