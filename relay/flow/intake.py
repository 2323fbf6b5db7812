"""From a client's request to a task at the provider: accepted at once, sent when it may be, never sent twice.

A request is written down before anything is sent. What was begun and never heard of again is *unclear*: it is
repeated, under the same key, only where the provider promises that this costs nothing; elsewhere it is held as
*unconfirmed* for a person to settle.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.contract import Status, Task, TaskUsage, encode
from relay.contract.pricing import Estimate, billionths
from relay.journal import Change, Conflict, Entry, Journal, Operation, OperationKind, Superseded, TaskRow
from relay.providers import Busy, CreateAnswer, Provider, Refused, Told, Unclear

from .estimate import Prices
from .govern import NO_BALANCE, Governor, Room
from .loop import Loop
from .observe import Observer
from .operate import Kind, allow

AT_ONCE = 4
HELD_BACK = 1.0
"""Seconds until it is looked again whether a client has come below its share; news of a task is sooner."""
BACKOFF_FIRST, BACKOFF_MOST = 2.0, 300.0


class Origin(Struct, frozen=True):
    """Who asks, and where in the queue it goes."""

    client: str = ""
    batch: str = ""
    tags: Sequence[str] = ()
    priority: int = 0
    """-9 to 9; higher goes first."""
    row: tuple[str, str] = ("", "")
    """Identity and version of a row of a sheet: the same again is the same task, for ever."""
    recipes: Sequence[str] = ()
    """Names of the recipes that alone may have its finishes; none: all that fit."""
    doubt: str = ""
    """Why it may have been paid for already: then it is not sent, but held as unconfirmed."""


class Accepted(NamedTuple):
    """What became of a request: its task, and whether this request made it."""

    task: TaskRow
    new: bool


class Intake(Loop):
    """Accepts requests, and sends what is due as far as the governor lets it. :meth:`accept` nudges the sender.
    ``lease`` is how many seconds a create may take before another worker calls it unclear: more than the provider's
    own limit of time."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        provider: Provider,
        observer: Observer,
        governor: Governor,
        prices: Prices,
        *,
        lease: float,
    ) -> None:
        super().__init__("intake", clock)
        self._lease = lease
        self._journal = journal
        self._provider = provider
        self._observer = observer
        self._governor = governor
        self._prices = prices
        self._running: set[asyncio.Task[None]] = set()
        self._sending: dict[str, Operation] = {}

    async def accept(
        self,
        workflow: str,
        body: str,
        *,
        row: str = "{}",
        client_key: str | None = None,
        warnings: Sequence[str] = (),
        origin: Origin = Origin(),  # noqa: B008 (frozen)
    ) -> TaskRow:
        """Write a request down as a queued task; it is durable when this returns. The same ``client_key``
        within a day returns the task that it made the first time. ``warnings`` go into its history."""
        return (await self._accept(workflow, body, row, client_key, warnings, origin, once=False)).task

    async def accept_row(
        self,
        workflow: str,
        body: str,
        origin: Origin,
        *,
        facts: str = "{}",
        warnings: Sequence[str] = (),
        changed: bool = False,
    ) -> Accepted:
        """Like :meth:`accept`, for the row that ``origin`` names: tells a new task from one that was there. Unless
        ``changed``, a row that became a task with other content is not asked for again: then the latest of its tasks
        is returned, whose ``row_version`` is another. However many ask at the same moment, one task is made."""
        return await self._accept(workflow, body, facts, None, warnings, origin, once=not changed)

    async def _accept(
        self,
        workflow: str,
        body: str,
        row: str,
        client_key: str | None,
        warnings: Sequence[str],
        origin: Origin,
        *,
        once: bool,
    ) -> Accepted:
        now = self._clock.now()
        task_id = self._clock.new_id("task")
        task = TaskRow(
            id=task_id,
            provider=self._provider.name,
            workflow=workflow,
            status=Status.QUEUED,
            request=body,
            row=row,
            client_key=client_key,
            client=origin.client,
            batch=origin.batch,
            tags=msgspec.json.encode(origin.tags).decode(),
            recipes=msgspec.json.encode(origin.recipes).decode(),
            row_identity=origin.row[0] or None,
            row_version=origin.row[1] or None,
            created_at=now,
            updated_at=now,
        )
        operation = self._operation(task, "create", body, self._prices.create(workflow, body), origin.priority)
        entry = Entry(
            task_id=task_id,
            at=now,
            kind="task.accepted",
            data={
                "workflow": workflow,
                "operation": operation.id,
                "request": msgspec.Raw(body.encode()),
                "warnings": list(warnings),
            },
        )
        if origin.doubt:
            operation.state, operation.due_at, operation.settled_at = "unconfirmed", None, now
            operation.error = origin.doubt
        accepted = await self._journal.tasks.create(task, operation, entry, once=once)
        if origin.doubt and accepted.id == task_id:
            data = {"operation": operation.id, "attempt": 0, "reason": origin.doubt}
            await self._journal.tasks.note(Entry(task_id=task_id, at=now, kind="operation.unconfirmed", data=data))
        self.nudge()
        return Accepted(accepted, new=accepted.id == task_id)

    async def operate(
        self,
        task: TaskRow,
        kind: Kind,
        body: str,
        *,
        target: str = "",
        client_key: str | None = None,
        priority: int = 0,
        by: str = "",
    ) -> Operation:
        """Write an edit or a compose down, to be sent once. Raises :class:`NotNow` if the task's state does not allow
        it, :class:`Conflict` while another operation is under way. The same ``client_key`` again returns the
        operation that it made the first time. ``by`` is whoever decided so, if it was a person."""
        known = await self._journal.tasks.operations(task.id)
        if client_key is None or all(one.client_key != client_key for one in known):
            allow(task, kind)
        now = self._clock.now()
        operation = self._operation(task, kind, body, self._prices.operation(task, kind, body, target), priority)
        operation.target, operation.client_key = target, client_key
        data = {"operation": operation.id, "kind": kind, "target": target, "request": msgspec.Raw(body.encode())}
        data |= {"by": by} if by else {}
        entry = Entry(task_id=task.id, at=now, kind="operation.accepted", data=data)
        accepted = await self._journal.tasks.operate(operation, entry)
        self.nudge()
        return accepted

    async def step(self) -> float:
        hands = AT_ONCE - len(self._running)
        if hands <= 0:
            return 1.0
        due, now = await self._journal.queue.due(), self._clock.now()
        asks = due.fresh is not None and due.fresh <= now
        room = await self._governor.room() if asks else Room(0)
        if room.slots > 0 or (due.again is not None and due.again <= now):
            claimed = await self._journal.queue.claim(
                self._clock.now(), hands, self._lease, fresh=room.slots, funds=room.funds
            )
            for operation in claimed.operations:
                self._begin(operation)
            if claimed.short is not None:
                await self._governor.short(claimed.short)
            return 0.0 if claimed.operations or claimed.short is not None else HELD_BACK
        fresh = self._clock.now() + self._governor.wait() if asks else due.fresh
        return min(self.until(due.again), self.until(fresh))

    async def drain(self) -> None:
        await self.finish(self._running)

    def _begin(self, operation: Operation) -> None:
        """Send what was claimed. What we are sending already only has a new fence: its lease ran out while the journal
        could not be used, or the clock was set."""
        known = self._sending.get(operation.id)
        if known is not None:
            known.fence = operation.fence
            return
        self._sending[operation.id] = operation
        self.spawn(self._running, self._send_claimed(operation))

    async def _send_claimed(self, operation: Operation) -> None:
        try:
            await self.send(operation)
        finally:
            del self._sending[operation.id]

    async def send(self, operation: Operation) -> None:
        """Send one claimed operation, or hold it if an earlier attempt at it may have arrived."""
        interrupted = operation.state == "sending"
        if interrupted and not await self._provider.idempotent_create():
            await self._hold(operation, "the relay stopped while it was being sent")
            return
        task = await self._task(operation)
        answer = await self._call(task, operation)
        match answer:
            case Told():
                self._governor.accepted()
                self._settle(operation, "accepted")
                await self._learn(task, answer, operation)
            case Refused():
                self._settle(operation, "refused")
                operation.error = answer.error.message
                if operation.kind == "create":
                    await self._learn(task, refusal(task, answer), operation)
                else:  # the task goes on as it was
                    await self._write(operation, "operation.refused", answer.error.message)
            case Busy(reason=reason, after=after, lack="turn") | Unclear(reason=reason, after=after):
                if await self._provider.idempotent_create():
                    await self._again(operation, reason, after)
                else:
                    await self._hold(operation, reason)
            case Busy():
                await self.insist(lambda: self._governor.refused(answer, operation))
                await self._requeue(operation, answer)

    async def _call(self, task: TaskRow, operation: Operation) -> CreateAnswer:
        if operation.kind == "create":
            return await self._provider.create(task.workflow, operation.body, operation.key)
        assert task.provider_id is not None, "only a task that is at the provider can be operated on"
        return await self._provider.operate(
            operation.kind, task.provider_id, operation.target, operation.body, operation.key
        )

    async def _learn(self, task: TaskRow, told: Told, operation: Operation) -> None:
        """Take in what the create brought. If our lease ran out meanwhile, what we know still is a fact: it
        counts unless whoever took over knows it too."""
        await self.insist(lambda: self._take_in(task, told, operation))

    async def _take_in(self, task: TaskRow, told: Told, operation: Operation) -> None:
        while True:
            try:
                await self._observer.observe(task, told, "create", operation)
            except Superseded:
                current = await self._current(operation)
                if current.state == "accepted":
                    return
                operation.fence = current.fence
                task = await self._task(operation)
                continue
            return

    async def _current(self, operation: Operation) -> Operation:
        known = await self._journal.tasks.operations(operation.task_id)
        return next(one for one in known if one.id == operation.id)

    def _operation(self, task: TaskRow, kind: OperationKind, body: str, price: Estimate, priority: int) -> Operation:
        now = self._clock.now()
        return Operation(
            id=self._clock.new_id("op"),
            task_id=task.id,
            kind=kind,
            state="queued",
            body=body,
            created_at=now,
            due_at=now,
            client=task.client,
            batch=task.batch,
            priority=priority,
            cost=billionths(price.least),
            unit=price.unit,
        )

    async def _task(self, operation: Operation) -> TaskRow:
        task = await self._journal.tasks.get(operation.task_id)
        assert task is not None, "an operation is written together with its task"
        return task

    def _settle(self, operation: Operation, state: Literal["accepted", "refused"]) -> None:
        operation.state = state
        operation.due_at, operation.error, operation.settled_at = None, None, self._clock.now()

    async def _again(self, operation: Operation, reason: str, after: float | None) -> None:
        """It may have arrived: ask again later, with the same key. Until then it keeps its slot."""
        backoff = min(BACKOFF_FIRST * 2**operation.failures, BACKOFF_MOST) * self._clock.jitter(1.0, 1.2)
        told_before = operation.error == reason
        operation.state, operation.error = "sending", reason
        operation.failures += 1
        operation.due_at = self._clock.now() + max(backoff, after or 0.0)
        await self._write(operation, None if told_before else "operation.postponed", reason)

    async def _requeue(self, operation: Operation, busy: Busy) -> None:
        """It surely did not arrive: back into its lane, where it stood. When it goes is the governor's to say."""
        reason = NO_BALANCE if busy.lack == "balance" else busy.reason
        told_before = operation.error == reason
        operation.state, operation.error, operation.due_at = "queued", reason, operation.created_at
        kind = "queue.paused" if busy.lack == "balance" else "operation.postponed"
        await self._write(operation, None if told_before else kind, busy.reason)

    async def _hold(self, operation: Operation, reason: str) -> None:
        """Nobody knows whether it was charged: never sent again by itself."""
        operation.state, operation.error, operation.due_at = "unconfirmed", reason, None
        operation.settled_at = self._clock.now()
        await self._write(operation, "operation.unconfirmed", reason)

    async def _write(self, operation: Operation, kind: str | None, reason: str) -> None:
        data: dict[str, Any] = {"operation": operation.id, "attempt": operation.attempts, "reason": reason}
        await self.insist(lambda: self._apply(operation, kind, data))

    async def _apply(self, operation: Operation, kind: str | None, data: dict[str, Any]) -> None:
        while True:
            task = await self._task(operation)
            if operation.kind != "create":
                task.next_poll_at = self._clock.now()  # the truth may tell what became of it
            entry = Entry(task_id=task.id, at=self._clock.now(), kind=kind or "", data=data)
            try:
                await self._journal.tasks.apply(Change(task=task, operation=operation, history=[entry] if kind else []))
            except Superseded:
                return  # another worker took it over; its outcome counts
            except Conflict:
                continue
            return


def refusal(task: TaskRow, refused: Refused) -> Told:
    """A create that was refused, as a task that failed: nothing was charged, nothing will come."""
    failed = Task(
        id="",
        status=Status.FAILED,
        stage=Status.FAILED,
        workflow=task.workflow,
        created_at=int(task.created_at),
        updated_at=int(task.created_at),
        completed_at=int(task.created_at),
        usage=TaskUsage(),
        request_id=refused.error.request_id,
        error_code=refused.error.code,
        error_message=refused.error.message,
    )
    return Told(failed, encode(failed).decode())
