"""Puts dead letters aside: somebody has seen to them otherwise, or nobody wants them any more.

Nothing is put aside unseen: every order can be counted first, by connector, without any effect. Nothing is forgotten
either: what is dismissed stays in its task's record, with who did it and why, and can still be sent again.
"""

from collections import Counter
from itertools import islice
from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from relay.clock import Clock
from relay.journal import DeliveryFilter, Journal

PAGE = 500
"""Dead letters put aside in one transaction."""

Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")]


class Dismissed(Struct):
    """What an order puts aside, by connector."""

    count: int = 0
    behind: int = 0
    """How many of these are steps that wait behind a dead letter."""
    by_connector: dict[str, int] = field(default_factory=dict[str, int])
    done: bool = False
    """False: this is only what would happen."""


async def dismiss(
    journal: Journal, clock: Clock, wanted: DeliveryFilter, *, reason: str, by: str, run: bool
) -> Dismissed:
    """Put aside all dead letters that fit ``wanted``, whatever states that names, and what waits behind them. ``by`` is
    who says so; without ``run`` it is only counted."""
    dead, behind = await _chosen(journal, replace(wanted, states=["dead"]))
    if run:
        ids = iter(dead)
        while some := list(islice(ids, PAGE)):
            await journal.dismissals.dismiss(some, clock.now(), reason=reason, by=by)
    counted = Counter([*dead.values(), *behind.values()])
    return Dismissed(len(dead) + len(behind), len(behind), dict(counted), run)


async def _chosen(journal: Journal, wanted: DeliveryFilter) -> tuple[dict[str, str], dict[str, str]]:
    """The dead letters and what waits behind them: id → connector."""
    dead: dict[str, str] = {}
    behind: dict[str, str] = {}
    before = None
    while page := await journal.deliveries.find(wanted, PAGE, before):
        before = page[-1].id
        found = {row.id: row.use for row in page}
        dead |= found
        behind |= await journal.dismissals.behind(list(found))
    return dead, behind
