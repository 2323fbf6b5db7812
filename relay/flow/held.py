"""News that a forgotten life of the relay may have told already: its deliveries are held for a person."""

from collections.abc import Sequence

from relay.contract import TERMINAL, Task
from relay.journal import DeliveryRow, Restored

from .plan import ARCHIVE


def moment(task: Task) -> float:
    """When the task came to what the provider tells of it, by the provider's word (Unix seconds)."""
    return float(task.completed_at or task.updated_at) if task.status in TERMINAL else float(task.updated_at)


def hold(planned: Sequence[DeliveryRow], restored: Restored) -> None:
    """Make dead letters of those that would go first; what waits for one of these waits on. Our own store is no
    destination: its copy may be made twice."""
    archive = {row.id for row in planned if row.recipe == ARCHIVE}
    for row in planned:
        if row.recipe != ARCHIVE and row.state in ("due", "waiting") and archive.issuperset(row.waits_for):
            row.state, row.error = "dead", restored.may_have_arrived
            row.due_at, row.waits_for, row.blockers = None, [], 0
