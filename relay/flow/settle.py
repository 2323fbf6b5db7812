"""What becomes of an operation that nobody knows the fate of: adopted, resubmitted or abandoned.

A person may decide any of these. By itself the relay only ever adopts, and only when a webhook names a task that nobody
claims, made in the very seconds in which exactly one such operation was under way.
"""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from relay.clock import Clock
from relay.contract import ErrorBody, Task, asked_as
from relay.journal import Change, Conflict, Entry, Journal, Operation, TaskRow
from relay.providers import Missing, Provider, Refused, Told

from .intake import refusal
from .loop import Loop
from .observe import Observer

SKEW = 2.0
"""Seconds that the provider's clock and ours may differ by."""
LOOK_BACK = 60.0
"""Seconds before the oldest open question from which unclaimed webhooks are looked at."""
PATIENCE = 60.0
"""Seconds between two looks when no webhook comes."""

Decision = Literal["adopt", "resubmit", "abandon"]
Sweeping = Literal["resubmit", "abandon"]
"""What can be decided of many at once."""


class SettleError(Exception):
    """The decision cannot be carried out; the message says why. ``status`` is the HTTP status for it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Question(Struct):
    """An operation waiting to be settled, with its task."""

    task_id: str
    workflow: str
    operation: str
    sent_at: float | None
    reason: str | None


class Settled(Struct):
    """What a decision on many comes to."""

    count: int = 0
    by_kind: dict[str, int] = field(default_factory=dict[str, int])
    """How many creates, edits and composes."""
    done: bool = False
    """False: this is only what would happen."""
    skipped: int = 0
    """Left out because something else became of them at that very moment."""


class Settler(Loop):
    """Carries decisions out, and adopts what can be told for sure. An unclaimed webhook calls :meth:`nudge`."""

    def __init__(
        self, journal: Journal, clock: Clock, provider: Provider, observer: Observer, *, timeout: float
    ) -> None:
        super().__init__("settler", clock)
        self._journal = journal
        self._provider = provider
        self._observer = observer
        self._timeout = timeout
        self._seen: set[str] = set()

    async def questions(self) -> list[Question]:
        """All that is unconfirmed, the oldest first."""
        return [
            Question(task.id, task.workflow, operation.id, operation.sent_at, operation.error)
            for task, operation in await self._open()
        ]

    async def settle(self, task_id: str, decision: Decision, provider_id: str | None = None) -> None:
        """Carry a person's decision out. Raises :class:`SettleError`."""
        found = [pair for pair in await self._open() if pair[0].id == task_id]
        if not found:
            raise SettleError(409, f"nothing of task {task_id} is unconfirmed")
        task, operation = found[0]
        if decision == "adopt" and operation.kind != "create":
            raise SettleError(409, f"only a create can be adopted; this is a {operation.kind}: --resubmit or --abandon")
        if decision == "adopt":
            await self._adopt_by_hand(task, operation, provider_id)
        else:
            await self._sweep(task, operation, decision)

    async def settle_many(self, decision: Sweeping, task_ids: Collection[str], error: str, *, run: bool) -> Settled:
        """Carry one decision out for all of these tasks (none named: for every one) that have ``error`` in their
        reason. Without ``run`` they are only counted."""
        settled = Settled(done=run)
        for task, operation in await self._open():
            fits = error.casefold() in (operation.error or "").casefold()
            if not fits or (task_ids and task.id not in task_ids):
                continue
            if run and not await self._sweep_fresh(task.id, operation.id, decision):
                settled.skipped += 1
                continue
            settled.count += 1
            settled.by_kind[operation.kind] = settled.by_kind.get(operation.kind, 0) + 1
        return settled

    async def step(self) -> float:
        """Look once whether an unclaimed webhook answers an open question."""
        questions = await self._open()
        sent = [operation.sent_at for _, operation in questions if operation.sent_at is not None]
        if not sent:  # what is held since a restore has no time by which it could be told
            return PATIENCE
        since = min(sent) - LOOK_BACK
        told = [await self._fetch(provider_id) for provider_id in await self._journal.receipts.unclaimed(since)]
        for task, operation in questions:
            matches = [one for one in told if one is not None and self._fits(task, operation, one.task)]
            rivals = [pair for pair in questions if matches and self._fits(*pair, matches[0].task)]
            if len(matches) == 1 and len(rivals) == 1:
                await self._adopt(task, operation, matches[0], "operation.adopted")
        return PATIENCE

    async def drain(self) -> None:
        """Nothing is ever under way outside a turn."""

    async def _open(self) -> list[tuple[TaskRow, Operation]]:
        pairs: list[tuple[TaskRow, Operation]] = []
        for operation in await self._journal.tasks.unconfirmed():
            task = await self._journal.tasks.get(operation.task_id)
            if task is not None:
                pairs.append((task, operation))
        return pairs

    async def _fetch(self, provider_id: str) -> Told | None:
        answer = await self._provider.fetch(provider_id)
        return answer if isinstance(answer, Told) else None

    def _fits(self, task: TaskRow, operation: Operation, theirs: Task) -> bool:
        """Made while this create was under way, and of the same kind."""
        if operation.kind != "create" or operation.sent_at is None or asked_as(theirs) != task.workflow:
            return False
        return operation.sent_at - SKEW <= theirs.created_at <= operation.sent_at + self._timeout + SKEW

    async def _adopt_by_hand(self, task: TaskRow, operation: Operation, provider_id: str | None) -> None:
        if not provider_id:
            raise SettleError(400, "to adopt a task, name it: provider_id is missing")
        owner = await self._journal.tasks.by_provider_id(provider_id)
        if owner is not None:
            raise SettleError(409, f"{provider_id} is task {owner.id} already")
        answer = await self._provider.fetch(provider_id)
        if isinstance(answer, Missing):
            raise SettleError(404, f"the provider does not know {provider_id}: {answer.reason}")
        if not isinstance(answer, Told):
            raise SettleError(503, f"the provider cannot be asked now: {answer.reason}")
        if asked_as(answer.task) != task.workflow:
            raise SettleError(409, f"{provider_id} is a {asked_as(answer.task)}; task {task.id} is a {task.workflow}")
        await self._adopt(task, operation, answer, "operation.adopted_by_hand")

    async def _adopt(self, task: TaskRow, operation: Operation, told: Told, kind: str) -> None:
        settled = replace(operation, state="accepted", due_at=None, error=None, settled_at=self._clock.now())
        await self._journal.tasks.note(self._entry(task, operation, kind, provider_id=told.task.id))
        await self._observer.observe(task, told, "create", settled)

    async def _sweep_fresh(self, task_id: str, operation_id: str, decision: Sweeping) -> bool:
        """False: a webhook, or another person, was faster."""
        task = await self._journal.tasks.get(task_id)
        found = [one for one in await self._journal.tasks.operations(task_id) if one.id == operation_id]
        if task is None or not found or found[0].state != "unconfirmed":
            return False
        try:
            await self._sweep(task, found[0], decision)
        except Conflict:
            return False
        return True

    async def _sweep(self, task: TaskRow, operation: Operation, decision: Sweeping) -> None:
        if decision == "abandon":
            await self._abandon(task, operation)
            return
        again = replace(operation, state="queued", due_at=self._clock.now(), error=None)
        entry = self._entry(task, operation, "operation.resubmitted")
        await self._journal.tasks.apply(Change(task=task, operation=again, history=[entry]))

    async def _abandon(self, task: TaskRow, operation: Operation) -> None:
        settled = replace(operation, state="abandoned", due_at=None, settled_at=self._clock.now())
        entry = self._entry(task, operation, "operation.abandoned")
        if operation.kind != "create":  # the task itself goes on
            await self._journal.tasks.apply(Change(task=task, operation=settled, history=[entry]))
            return
        await self._journal.tasks.note(entry)
        error = ErrorBody("abandoned", "Nobody knows whether it was accepted; a person gave it up.")
        await self._observer.observe(task, refusal(task, Refused(error, 0)), "create", settled)

    def _entry(self, task: TaskRow, operation: Operation, kind: str, **more: str) -> Entry:
        return Entry(task_id=task.id, at=self._clock.now(), kind=kind, data={"operation": operation.id, **more})
