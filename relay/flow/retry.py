"""When to try again, and when to give up."""

from relay.clock import Clock
from relay.journal import DeliveryRow
from relay.recipe import Retries

SCHEDULE = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds to wait after the 1st, 2nd, … failure: about 76 hours in all, then it is dead."""
JITTER = 0.2
RETRY_AFTER_MOST = 86400.0


def next_try(row: DeliveryRow, retry: Retries, after: float | None, clock: Clock) -> float | None:
    """When ``row``, which has just failed (and counted it), is due again; ``None``: it is dead.

    ``after`` (seconds) is the destination's own wish; it only ever lengthens the wait.
    """
    schedule = tuple(retry.schedule) or SCHEDULE
    if row.failures >= (retry.attempts or len(schedule) + 1):
        return None
    wait = schedule[min(row.failures, len(schedule)) - 1] * clock.jitter(1.0, 1.0 + JITTER)
    due = clock.now() + max(wait, min(after or 0.0, RETRY_AFTER_MOST))
    if retry.give_up_after is not None and due > row.created_at + retry.give_up_after:
        return None
    return due
