"""Which lane a delivery takes, what its connection allows there, and what an attempt tells of it."""

from collections.abc import Mapping

from connectors.base import DeliveryError, Gone, Outcome, Retry
from relay.journal import DeliveryRow, LaneNews, LanePolicy
from relay.recipe import Step

KEYS = ("max_concurrency", "per_second", "per_minute")
"""What any connection may say about its lane; its connector does not see these."""


def lane_of(step: Step) -> str:
    """The destination of a step: its connection; without one, its connector and the URL as the recipe writes it."""
    url = step.with_.get("url")
    return step.connection or (f"{step.use} {url}" if isinstance(url, str) else step.use)


def policy(values: Mapping[str, str]) -> LanePolicy:
    """What one connection allows. Raises :class:`ValueError` naming the value and the rule."""
    ordinary = LanePolicy()
    most = _number(values, "max_concurrency", ordinary.max_concurrency)
    if most != int(most):
        raise ValueError(f"max_concurrency is {values['max_concurrency']!r}; it must be a whole number from 1")
    rates = [_number(values, "per_second", 0.0), _number(values, "per_minute", 0.0) / 60]
    return LanePolicy(int(most), max((1 / rate for rate in rates if rate), default=ordinary.interval))


def without(values: Mapping[str, str]) -> dict[str, str]:
    """A connection's values as its connector gets them."""
    return {name: value for name, value in values.items() if name not in KEYS}


def _number(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.001 <= number <= 100_000:
        raise ValueError(f"{name} is {text!r}; it must be a number above 0")
    return number


def news_of(row: DeliveryRow, result: Outcome | DeliveryError, now: float, most: float) -> LaneNews | None:
    """What an attempt that got as far as its connector tells of the lane. A wish to wait speaks of the destination, not
    against it: it is up, and says when."""
    if isinstance(result, Outcome):
        return LaneNews(ok=True)
    if isinstance(result, Gone):
        return LaneNews(pause=result.reason) if row.connection else None
    if isinstance(result, Retry):
        if result.after:
            return LaneNews(until=now + min(result.after, most), error=result.reason)
        return LaneNews(ok=False, error=result.reason)
    return None
