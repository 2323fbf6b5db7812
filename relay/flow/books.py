"""From what a provider says that a task cost, to lines of the ledger. Pure.

Nothing is assumed: an amount counts when the provider says it, and a line is the difference to what it said before.
News that says nothing of an amount leaves it as it was.
"""

from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from relay.contract import Unit
from relay.contract.pricing import billionths
from relay.journal import LedgerLine, Source
from relay.journal.model import MoneyKind
from relay.providers import Told

KINDS: tuple[MoneyKind, ...] = get_args(MoneyKind)


class _Amounts(Struct):
    credits_reserved: Decimal | UnsetType | None = UNSET
    credits_charged: Decimal | UnsetType | None = UNSET
    credits_settled: Decimal | UnsetType | None = UNSET
    credits_refunded: Decimal | UnsetType | None = UNSET


class _Priced(Struct):
    usage: _Amounts | UnsetType | None = UNSET


class Known(Struct):
    """What a task has cost by the ledger, in billionths."""

    unit: Unit = "credits"
    amounts: dict[str, int] = msgspec.field(default_factory=dict[str, int])


def book(usage: str, told: Told, source: Source, now: float) -> tuple[str, list[LedgerLine]]:
    """What is known after the news, and the lines that lead there from ``usage``. Amounts of another unit than before
    are not compared: the old ones are taken back in their own unit."""
    known = msgspec.json.decode(usage, type=Known)
    said = _said(told)
    if not said:
        return usage, []
    lines: list[LedgerLine] = []

    def line(kind: MoneyKind, amount: int, unit: Unit) -> None:
        if amount:
            lines.append(LedgerLine(at=now, kind=kind, amount=amount, unit=unit, told_by=source))

    before = dict(known.amounts)
    if known.unit != told.unit:
        for kind in KINDS:
            line(kind, -before.get(kind, 0), known.unit)
        before = {}
    for kind in KINDS:
        if kind in said:
            line(kind, said[kind] - before.get(kind, 0), told.unit)
    if not lines:
        return usage, []
    return msgspec.json.encode(Known(told.unit, {**before, **said})).decode(), lines


def _said(told: Told) -> dict[str, int]:
    usage = msgspec.json.decode(told.raw, type=_Priced).usage
    if not isinstance(usage, _Amounts):
        return {}
    found: dict[str, int] = {}
    for kind in KINDS:
        value: Any = getattr(usage, f"credits_{kind}")
        amount = billionths(value) if isinstance(value, Decimal) else None
        if amount is not None:
            found[kind] = amount
    return found
