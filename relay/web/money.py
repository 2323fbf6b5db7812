"""Amounts as people read them."""

from decimal import Decimal
from typing import Protocol


class Priced(Protocol):
    """Whatever costs something between ``least`` and ``most``; ``None`` where nobody knows."""

    @property
    def least(self) -> Decimal | None: ...

    @property
    def most(self) -> Decimal | None: ...


def amount(price: Priced) -> str:
    """``50`` or ``50 to 900``; a question mark where the rate table knows nothing."""
    if price.least is None or price.most is None:
        return "?"
    least, most = number(price.least), number(price.most)
    return least if least == most else f"{least} to {most}"


def number(value: Decimal) -> str:
    """``12,000`` or ``0.25``: never an exponent, never more digits than it has."""
    return f"{value:,f}"


def duration(seconds: float) -> str:
    """``about 3 h 20 min``: as exact as an expectation is."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return "a minute or two"
    if minutes < 90:
        return f"about {minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest} min" if hours < 10 else f"about {round(minutes / 60)} h"
