"""What recipes fire on besides a finish: a change, a dead letter, a batch, the hour."""

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from .model import DeliveryRow


class Occasion(Struct, kw_only=True):
    """Something that happened at a time and is no finish. Kept so that its deliveries can always speak of it."""

    event_id: str
    event: str
    """``task.updated``, ``delivery.dead``, ``batch.completed`` or ``schedule``."""
    task_id: str
    """The task it is about; where it is about none, its own ``event_id``."""
    revision: int
    """How often the task had finished; 0 where there is none."""
    at: float
    key: str
    """Names the very thing that happened, so that telling it twice is telling it once."""
    context: str
    """What its deliveries speak of (JSON object): the task and row, the batch, the dead delivery."""


class Occasions(Protocol):
    """Occasions by event id and by key. Those that belong to a change of a task are written with that change."""

    async def add(self, occasion: Occasion, deliveries: "list[DeliveryRow]") -> bool:
        """Write an occasion that belongs to no task, with what it causes. False: its key is known, and nothing was
        written."""
        ...

    async def get(self, event_id: str) -> Occasion | None: ...

    async def latest(self, prefix: str) -> float | None:
        """When the last occasion whose key starts with ``prefix`` was."""
        ...
