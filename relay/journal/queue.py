"""Operations that wait to be sent: whose turn it is, and how much runs already."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from relay.contract import Unit

from .model import Operation, OperationState


class Funds(Struct):
    """What may be spent, in billionths of ``unit``. An operation counted in another unit is not measured by it."""

    amount: int
    unit: Unit


class Claimed(Struct):
    """Operations to send, in the ``state`` that they had *before* this claim: one that is already ``sending`` may
    have arrived, and nobody knows."""

    operations: list[Operation] = field(default_factory=list[Operation])
    short: Operation | None = None
    """The one whose turn it would be, had there been the funds for it."""


class Load(Struct):
    """What uses, or may use, one of the provider's slots, and what is spent beyond the last known balance."""

    running: int
    """Tasks that were seen to run."""
    sending: int
    """Operations under way, or sent without an answer."""
    unsure: int
    """Operations since the given time that may run although no task shows it: edits and composes whose task has not
    moved yet, and what is unconfirmed."""
    spent: dict[str, int]
    """The least that operations sent since the given time cost, in billionths, by unit."""

    @property
    def all(self) -> int:
        return self.running + self.sending + self.unsure


class Due(Struct):
    """When there is something to send again, and something to send for the first time."""

    again: float | None
    fresh: float | None


class QueueStore(Protocol):
    """The submission queue. Priorities go first; within one, clients are served in turn, then a client's batches; a
    lane keeps its order."""

    async def claim(self, now: float, limit: int, lease: float, *, fresh: int, funds: Funds | None) -> Claimed:
        """Hand out at most ``limit`` operations, first those that were begun by somebody whose lease ran out, then at
        most ``fresh`` queued ones, as far as ``funds`` reach. Each is due again after ``lease`` seconds."""
        ...

    async def due(self) -> Due: ...

    async def load(self, since: float, seen_since: float) -> Load:
        """What runs now. ``since``: when the account was last read; ``seen_since``: a running task without any news
        since then is not counted, for nobody knows whether it still runs."""
        ...

    async def recent(
        self, limit: int, before: str | None = None, state: OperationState | None = None
    ) -> list[Operation]:
        """Operations, newest first; ``before`` is the last id of the page before."""
        ...

    async def waiting(self) -> int:
        """How many operations are queued."""
        ...

    async def told(self, now: float, kind: str, reason: str, limit: int) -> int:
        """Write into the history of the next ``limit`` waiting tasks why they wait, unless it stands there already;
        returns how many were told."""
        ...

    async def untold(self, now: float, kind: str, reason: str, limit: int) -> int:
        """Write that they no longer wait for it, into the history of those that were told so."""
        ...

    async def reprioritise(self, task_id: str, priority: int) -> bool:
        """Change the priority of what is queued of a task. False: nothing is."""
        ...

    async def durations(self, limit: int) -> Sequence[tuple[str, float]]:
        """Workflow and seconds from acceptance to the first finish, of the last ``limit`` finishes."""
        ...
