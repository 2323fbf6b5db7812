"""Keeps secrets out of what an attempt writes down, whatever a destination sends back or a connector says."""

from relay.journal import Settlement
from relay.log import blanked, redact, redact_all


def scrub(settlement: Settlement) -> Settlement:
    """``settlement`` without any known secret. In an outcome, later steps need what merely looks like one."""
    row = settlement.delivery
    if row.outcome is not None:
        row.outcome = blanked(row.outcome)
    if row.error is not None:
        row.error = redact(row.error)
    for entry in settlement.history:
        entry.data = redact_all(entry.data)
    return settlement
