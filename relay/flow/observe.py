"""The single door through which any news of a task enters, whoever brings it.

It compares the news with what is known and, in one transaction, appends to the history, updates the task and
inserts the deliveries that the news causes.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.contract import ACTIONABLE, Status, Task, decode
from relay.journal import Change, Conflict, Entry, Finish, Journal, JournalError, Operation, Source, Superseded, TaskRow
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer

from .announce import Announcer
from .books import book
from .held import hold, moment
from .occasions import plan_dead, plan_update
from .plan import ARCHIVE, labels_of, plan
from .view import finished_task, own_task, row_of

VOLATILE = frozenset({"request_id", "poll_after_seconds", "typical_seconds"})
"""Fields that change from answer to answer without telling anything about the task."""

RECHECK_FIRST, RECHECK_UNTIL = 600.0, 86400.0
"""A succeeded video can be edited and composed anew elsewhere: it is asked again after 10 min, then at
doubling intervals for a day; after that only a webhook or an operation of ours reopens it."""

WATCH = 180.0
"""Seconds of close polling after an edit or a compose was accepted."""

REMIND_LEAST, REMIND_MOST = 60.0, 600.0
"""How often a task that waits for a person is asked: hundreds may wait for days on one budget."""

Class = Literal["succeeded", "failed", "action"]
_EVENTS: dict[Class, str] = {
    "succeeded": "task.succeeded",
    "failed": "task.failed",
    "action": "task.requires_action",
}


class Pace(Struct, frozen=True):
    """How often a running task is polled, in seconds."""

    least: float = 5.0
    most: float = 10.0


class Observer:
    """Takes news in. ``recipes`` is asked anew for each finish, so that edited recipes count at once;
    ``changed`` is called once news is on disk: there may be a poll to wait for, or a delivery to make."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        recipes: Callable[[], RecipeSet],
        renderer: Renderer,
        pace: Pace,
        changed: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._recipes = recipes
        self._renderer = renderer
        self._pace = pace
        self._changed = changed
        self._announcer = Announcer(journal, clock)

    async def observe(self, task: TaskRow, told: Told, source: Source, operation: Operation | None = None) -> TaskRow:
        """Take in what ``source`` told of ``task``. ``operation`` is settled in the same transaction.

        Returns the task as it is now known. Losing a race against another observer is not an error: the
        news is compared again with what the other one wrote. Raises :class:`Superseded` if the operation was
        handed to somebody else meanwhile.
        """
        while True:
            change = await self._change(task, told, source)
            if change is not None:
                await self._announcer.announce(change)
                self._hold(change, told.task)
            elif operation is None:
                await self._journal.tasks.polled(task, self._next_poll(task, told.task), failed=False)
                return task
            change = change or Change(task=msgspec.structs.replace(task))
            if operation is not None:
                self._watch(change, operation)
            try:
                await self._journal.tasks.apply(change)
            except Superseded:
                raise
            except Conflict:
                task = await self._again(task.id)
                continue
            self._changed()
            return change.task

    def _hold(self, change: Change, task: Task) -> None:
        """Old news after a restore may have been delivered by the life that the journal has forgotten. What has no id
        at the provider is our own word, of this moment."""
        restored = self._journal.restored
        if restored is not None and task.id and moment(task) < restored.at:
            hold(change.deliveries, restored)

    def _watch(self, change: Change, operation: Operation) -> None:
        """Settle ``operation`` with the news. The answer to an edit or a compose may still show the status from
        before, so the task is polled closely for a while."""
        change.operation = operation
        if operation.kind != "create" and operation.state == "accepted":
            now = self._clock.now()
            change.task.watch_until = now + WATCH
            change.task.next_poll_at = now + self._clock.jitter(self._pace.least, self._pace.most)

    async def _again(self, task_id: str) -> TaskRow:
        task = await self._journal.tasks.get(task_id)
        if task is None:
            raise JournalError(f"task {task_id} is gone from the journal")
        return task

    async def _change(self, before: TaskRow, told: Told, source: Source) -> Change | None:
        """What the news changes; ``None`` if it tells nothing."""
        now = self._clock.now()
        confirming = not before.confirmed and source != "webhook"
        if before.observed is not None and not confirming and not differs(before.observed, told.raw):
            return None
        last = await self._last_finish(before)
        finished = is_finish(before, told.task, last)
        after = msgspec.structs.replace(
            before,
            provider_id=told.task.id or before.provider_id,
            status=told.task.status,
            observed=told.raw,
            told_by=source,
            confirmed=source != "webhook",
            updated_at=now,
            poll_failures=0,
        )
        if classify(told.task.status) is not None and source != "webhook":
            after.hint_receipt = None
        if finished:
            after.revision, after.finished_at = before.revision + 1, now
        after.next_poll_at = self._next_poll(after, told.task)
        after.usage, ledger = book(before.usage, told, source, now)
        change = Change(task=after, history=[_entry(before, after, source, confirming, now)], ledger=ledger)
        if finished:
            self._finish(change, told, source, now, woken=before.hint_receipt is not None)
        self._update(change, told)
        return change

    def _update(self, change: Change, told: Told) -> None:
        """Tell the recipes that follow a task; where the news is a finish, they wait for its files."""
        task, archive = change.task, [row.id for row in change.deliveries if row.recipe == ARCHIVE]
        context = {"task": own_task(task.id, told.raw), "row": row_of(task)}
        planned = plan_update(task, context, self._recipes(), self._renderer, self._clock.new_id, archive)
        if planned is not None:
            change.occasions.append(planned[0])
            change.deliveries += planned[1]

    def _tell_dead(self, change: Change, context: dict[str, Any]) -> None:
        """A recipe that could not be planned is a dead letter from the start."""
        for row in [row for row in change.deliveries if row.state == "dead"]:
            labels = labels_of(change.task)
            told = plan_dead(row, context, self._recipes(), self._renderer, self._clock.new_id, labels)
            if told is not None:
                change.occasions.append(told[0])
                change.deliveries += told[1]

    async def _last_finish(self, task: TaskRow) -> Finish | None:
        return (await self._journal.tasks.finishes(task.id))[-1] if task.revision else None

    def _finish(self, change: Change, told: Told, source: Source, now: float, *, woken: bool) -> None:
        task = change.task
        kind = classify(told.task.status)
        assert kind is not None
        change.finish = finish = Finish(
            task_id=task.id,
            revision=task.revision,
            event_id=self._clock.new_id("evt"),
            event=_EVENTS[kind],
            at=now,
            observed=told.raw,
            told_by=source,
        )
        context: dict[str, Any] = {
            "task": finished_task(finish),
            "event": {
                "id": finish.event_id,
                "type": finish.event,
                "created_at": int(now),
                "revision": finish.revision,
            },
            "row": row_of(task),
        }
        recipes = list(self._recipes())
        change.deliveries = plan(finish, recipes, self._renderer, context, self._clock.new_id, labels_of(task))
        self._tell_dead(change, context)
        data = {
            "revision": finish.revision,
            "event": finish.event,
            "event_id": finish.event_id,
            "told_by": source,
            "learnt_by": "webhook" if woken else source,
            "deliveries": [f"{row.recipe}/{row.step}" for row in change.deliveries if row.state != "unrouted"],
        }
        change.history.append(Entry(task_id=task.id, at=now, kind="task.finished", data=data))

    def _next_poll(self, task: TaskRow, told: Task) -> float | None:
        now = self._clock.now()
        kind = classify(told.status)
        age = now - (task.finished_at or now)
        watched = task.watch_until is not None and now < task.watch_until
        if not task.confirmed or kind is None or watched:
            wish = told.poll_after_seconds
            least = float(wish) if isinstance(wish, Decimal) else 0.0
            return now + max(self._clock.jitter(self._pace.least, self._pace.most), min(least, 60.0))
        if kind == "action":
            return now + min(max(age, REMIND_LEAST), REMIND_MOST) * self._clock.jitter(1.0, 1.2)
        if kind == "succeeded" and age < RECHECK_UNTIL:
            return now + max(RECHECK_FIRST, age) * self._clock.jitter(1.0, 1.2)
        return None


def classify(status: str) -> Class | None:
    """Which kind of finish a status is; ``None`` while the task runs. An unknown status runs."""
    if status in ACTIONABLE:
        return "action"
    if status == Status.SUCCEEDED:
        return "succeeded"
    return "failed" if status == Status.FAILED else None


def is_finish(before: TaskRow, told: Task, last: Finish | None) -> bool:
    """Whether ``told`` is a finish that has not been counted yet.

    A video is new when its files or its time of completion differ from the last one's: a status that goes
    back and forth while an answer lags behind a webhook is not a second video.
    """
    kind = classify(told.status)
    if kind is None or last is None:
        return kind is not None
    known = decode(last.observed, Task)
    if classify(known.status) != kind:
        return True
    if kind == "action":
        return classify(before.status) != "action"
    if kind == "failed":
        return False
    return _files(known) != _files(told) or bool(
        known.completed_at and told.completed_at and known.completed_at != told.completed_at
    )


def differs(observed: str, raw: str) -> bool:
    """Whether two words of a provider say different things."""
    return observed != raw and _significant(observed) != _significant(raw)


def _significant(raw: str) -> dict[str, Any]:
    document = msgspec.json.decode(raw, type=dict[str, Any])
    return {name: value for name, value in document.items() if name not in VOLATILE}


def _files(task: Task) -> list[str]:
    return [media.url for media in task.output.media] if task.output else []


def _entry(before: TaskRow, after: TaskRow, source: Source, confirming: bool, now: float) -> Entry:
    kind = "task.observed"
    if confirming:
        kind = "task.confirmed" if before.status == after.status else "task.contradicted"
    data: dict[str, Any] = {"by": source, "status": after.status, "before": before.status}
    if before.provider_id is None and after.provider_id is not None:
        data["provider_id"] = after.provider_id
    return Entry(task_id=after.id, at=now, kind=kind, data=data)
