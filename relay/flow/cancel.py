"""Takes back what was never sent."""

from msgspec import Struct
from msgspec.structs import replace

from relay.clock import Clock
from relay.contract import ErrorBody
from relay.journal import Change, Conflict, Entry, Journal, Operation, Superseded, TaskRow
from relay.providers import Refused

from .intake import refusal
from .observe import Observer


class TooLate(Exception):
    """Nothing of the task is waiting to be sent; the message says how it stands."""


class Cancelled(Struct):
    """What was taken back."""

    task_id: str
    operation: str
    kind: str


class Canceller:
    """Cancels queued operations. Whoever comes first wins, the cancel or the sender: an operation counts as cancelled
    only if nobody has claimed it since it was looked at."""

    def __init__(self, journal: Journal, clock: Clock, observer: Observer) -> None:
        self._journal = journal
        self._clock = clock
        self._observer = observer

    async def cancel(self, task_id: str) -> Cancelled | None:
        """Take back what waits of a task; ``None``: there is no such task. Nothing was charged. A create that is
        cancelled ends its task as failed; after an edit or a compose, the task is as it was. Raises :class:`TooLate`.
        """
        while True:
            task = await self._journal.tasks.get(task_id)
            if task is None:
                return None
            operation = await self._waiting(task)
            try:
                await self._take_back(task, operation)
            except Superseded:  # somebody claimed it a moment ago
                continue
            except Conflict:  # the task moved on; the operation may still wait
                continue
            return Cancelled(task_id, operation.id, operation.kind)

    async def _waiting(self, task: TaskRow) -> Operation:
        operations = await self._journal.tasks.operations(task.id)
        for operation in operations:
            if operation.state == "queued":
                return operation
        last = operations[-1] if operations else None
        how = f"its {last.kind} is {last.state}" if last is not None else "it has no operation"
        raise TooLate(f"task {task.id} is {task.status} and {how}; only what is still queued can be changed")

    async def _take_back(self, task: TaskRow, operation: Operation) -> None:
        now = self._clock.now()
        cancelled = replace(operation, state="cancelled", due_at=None, settled_at=now)
        if operation.kind == "create":
            error = ErrorBody("cancelled", "It was cancelled before it was sent; nothing was charged.")
            await self._observer.observe(task, refusal(task, Refused(error, 0)), "create", cancelled)
            return
        data = {"operation": operation.id, "kind": operation.kind}
        entry = Entry(task_id=task.id, at=now, kind="operation.cancelled", data=data)
        await self._journal.tasks.apply(Change(task=task, operation=cancelled, history=[entry]))
