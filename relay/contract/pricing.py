"""What things cost: a rate table that is data, and what a request costs by it before it is sent.

Amounts are exact decimals of one unit; nothing is ever reckoned across units. Where the price depends on what only the
provider can measure (the length of the song), an estimate says what it is at least and at most.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from .tasks import Credits, Unit

BILLION = 10**9
"""Amounts are stored as whole billionths: exact, and summable anywhere."""

SHORTEST, LONGEST = 10, 180
"""Seconds that a song may have."""
EDIT_SECONDS = 5
DOLLARS_PER_CREDIT = Decimal("0.02")
CENT = Decimal("0.01")


class Rates(Struct, frozen=True):
    """Amounts per second of billable duration, but for ``compose``, which is charged once."""

    unit: Unit = "credits"
    standard_540p: Decimal = Decimal(4)
    standard_720p: Decimal = Decimal(5)
    standard_1080p: Decimal = Decimal(6)
    high_720p: Decimal = Decimal(16)
    high_1080p: Decimal = Decimal(18)
    lip_sync: Decimal = Decimal(2)
    """Added to the rate of the video."""
    ecommerce: Decimal = Decimal(15)
    compose: Decimal = Decimal(1)

    def music_video(self, request: Mapping[str, Any], *, lip_sync: bool = True) -> Decimal | None:
        """Per second; ``None`` for a quality and resolution that the table does not know."""
        name = f"{request.get('quality', 'standard')}_{request.get('resolution', '720p')}"
        rate = getattr(self, name, None) if name in PER_SECOND else None
        if rate is None or request.get("mv_tier", "standard") != "standard":
            return None
        return rate + (self.lip_sync if lip_sync and request.get("lip_sync") is True else Decimal(0))


PER_SECOND = frozenset({"standard_540p", "standard_720p", "standard_1080p", "high_720p", "high_1080p"})
RATES = frozenset(Rates.__struct_fields__) - {"unit"}
LAUNCH = Rates()
CURRENT = Rates(
    unit="usd",
    **{name: getattr(LAUNCH, name) * DOLLARS_PER_CREDIT for name in RATES - {"compose"}},
    compose=Decimal("1.00"),
)


class RateTable(Struct, frozen=True):
    """The rates of both units. ``override`` replaces some of those of its unit."""

    credits: Rates = LAUNCH
    usd: Rates = CURRENT

    def of(self, unit: Unit) -> Rates:
        return self.usd if unit == "usd" else self.credits

    def override(self, unit: Unit, rates: Mapping[str, Decimal]) -> "RateTable":
        """The same table with some rates of one unit replaced."""
        return replace(self, **{unit: replace(self.of(unit), **rates)})


class Estimate(Struct):
    """What one request will cost: a range, because the provider measures the song itself."""

    unit: Unit
    least: Credits | None = None
    """``null``: the rate table does not know such a request."""
    most: Credits | None = None
    likely: Credits | None = None
    """By the `duration` given, or where there is no choice; ``null`` if it cannot be said."""
    notes: list[str] = field(default_factory=list[str])


UNKNOWN = "the rate table does not know such a request; set its rate under [rates]"
MEASURED = "the provider measures the song: at least 10 s, at most 180 s"


def create(rates: Rates, workflow: str, request: Mapping[str, Any]) -> Estimate:
    """A new task."""
    duration = request.get("duration")
    seconds = duration if isinstance(duration, int) and not isinstance(duration, bool) else None
    if workflow == "ecommerce-video" and seconds is not None:
        return _exactly(rates, rates.ecommerce * seconds)
    rate = rates.music_video(request) if workflow == "music-video" else None
    if rate is None:
        return Estimate(rates.unit, notes=[UNKNOWN])
    return Estimate(
        rates.unit,
        _rounded(rates, rate * SHORTEST),
        _rounded(rates, rate * LONGEST),
        None if seconds is None else _rounded(rates, rate * seconds),
        [MEASURED],
    )


def edit(rates: Rates, asked: Mapping[str, Any], created: Mapping[str, Any], shot_seconds: int | None) -> Estimate:
    """One shot anew: in dollars as its task was created, in credits as the edit asks."""
    if rates.unit == "usd":
        rate, seconds = rates.music_video(created), shot_seconds
    else:
        rate, seconds = rates.music_video(asked, lip_sync=False), int(asked.get("duration", EDIT_SECONDS))
    if rate is None:
        return Estimate(rates.unit, notes=[UNKNOWN])
    if seconds is None:
        return Estimate(rates.unit, _rounded(rates, rate), _rounded(rates, rate * LONGEST))
    return _exactly(rates, rate * seconds)


def compose(rates: Rates) -> Estimate:
    """The final video: a fixed charge."""
    return _exactly(rates, rates.compose)


def billionths(amount: Decimal | None) -> int | None:
    """An amount as it is stored."""
    return None if amount is None else int(amount * BILLION)


def amount(billionths: int) -> Decimal:
    """A stored amount as people see it, without needless zeros."""
    exact = Decimal(billionths) / BILLION
    whole = exact.to_integral_value()
    return whole if exact == whole else exact.normalize()


def _exactly(rates: Rates, cost: Decimal) -> Estimate:
    cost = _rounded(rates, cost)
    return Estimate(rates.unit, cost, cost, cost)


def _rounded(rates: Rates, cost: Decimal) -> Decimal:
    return cost.quantize(CENT) if rates.unit == "usd" else cost
