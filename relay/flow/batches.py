"""Running batches: each row becomes one task, and the batch is completed when all of them have ended."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.contract import TERMINAL, Credits, Status, Task, decode
from relay.journal import BatchRow, Journal, RowState, RowTask, SheetRow
from relay.sheets.plan import CellProblem
from relay.sheets.results import Result

from .govern import Governor
from .held import moment
from .intake import Intake, Origin
from .loop import Loop

PATIENCE = 60.0
"""Seconds between two looks when no news comes."""
ARCHIVE_SECONDS = 1.0
"""Seconds between two looks while only files are still on their way into the store."""
CHUNK = 200
"""Rows that become tasks before it is written down which: a crash in between finds them again by their identity."""


class Summary(Struct):
    """How a batch went: what the event ``batch.completed`` says."""

    id: str
    name: str
    state: str
    digest: str
    """SHA-256 (hex) of the sheet as it was read."""
    rows: int
    done: int
    failed: int
    open: int
    """Tasks that have not ended."""
    invalid: int
    skipped: int
    """Rows that asked for nothing new: twins, and what was changed or had failed and was not asked for again."""
    credits: Credits
    """Settled so far for what this batch asked for; what an earlier one asked for was paid for there."""
    by_status: dict[str, int]
    seconds_left: float | None = None
    """Expected, from how long this batch's own tasks took; ``null`` until the first has ended."""


class Line(NamedTuple):
    """A row of a batch, and what became of it."""

    row: SheetRow
    result: Result


Completed = Callable[[BatchRow, Summary, float], Awaitable[None]]
"""Called with when the last of its tasks ended at the provider (Unix seconds)."""


class Batches(Loop):
    """Submits the rows of running batches and completes them. News of any task calls :meth:`nudge`."""

    def __init__(
        self, journal: Journal, clock: Clock, intake: Intake, governor: Governor, url: str, completed: Completed
    ) -> None:
        super().__init__("batches", clock)
        self._journal = journal
        self._intake = intake
        self._governor = governor
        self._url = url
        self._completed = completed

    async def step(self) -> float:
        """Submit what is waiting, and complete what has ended."""
        nap = PATIENCE
        for batch in await self._journal.batches.running():
            rows = await self._journal.batches.rows(batch.id)
            await self._submit(batch, [row for row in rows if row.state == "new" and row.task_id is None])
            tasks = await self._journal.batches.tasks(batch.id)
            if all(task.status in TERMINAL and task.confirmed for task in tasks):
                if any(task.archiving for task in tasks):
                    nap = min(nap, ARCHIVE_SECONDS)
                else:
                    await self._complete(batch)
        return nap

    async def drain(self) -> None:
        """Nothing is ever under way outside a turn."""

    async def summary(self, batch: BatchRow) -> Summary:
        """How a batch stands now."""
        rows = await self._journal.batches.rows(batch.id)
        tasks = await self._journal.batches.tasks(batch.id)
        statuses = Counter(task.status for task in tasks)
        kinds, started = Counter(row.state for row in rows), batch.started_at or 0.0
        waiting = sum(1 for row in rows if row.state == "new" and row.task_id is None)
        done, failed = statuses[Status.SUCCEEDED], statuses[Status.FAILED]
        still_open = len(tasks) - done - failed + (waiting if batch.state == "running" else 0)
        return Summary(
            id=batch.id,
            name=batch.name,
            state=batch.state,
            digest=batch.digest,
            rows=len(rows),
            done=done,
            failed=failed,
            open=still_open,
            invalid=kinds["invalid"],
            skipped=sum(1 for row in rows if row.task_id is None and row.state in ("twin", "changed", "failed")),
            credits=sum((_credits(task) for task in tasks if task.created_at >= started), Decimal(0)),
            by_status=dict(statuses),
            seconds_left=seconds_left(tasks, still_open, started, self._at_once()),
        )

    def _at_once(self) -> int:
        standing = self._governor.standing
        return (standing.limit if standing else None) or 1

    async def results(self, batch: BatchRow) -> dict[int, Result]:
        """What to write beside each row, by its number."""
        rows, tasks = await self._journal.batches.rows(batch.id), await self._journal.batches.tasks(batch.id)
        return {line.row.number: line.result for line in self._lines(rows, tasks)}

    async def page(
        self,
        batch: BatchRow,
        limit: int,
        after: int = 0,
        *,
        states: Sequence[RowState] = (),
        statuses: Sequence[str] = (),
    ) -> list[Line]:
        """Some rows, in order; see :meth:`relay.journal.batches.BatchStore.page`."""
        rows = await self._journal.batches.page(batch.id, limit, after, states=states, statuses=statuses)
        tasks = await self._journal.batches.tasks(batch.id, [row.number for row in rows])
        return self._lines(rows, tasks)

    def _lines(self, rows: Sequence[SheetRow], tasks: Sequence[RowTask]) -> list[Line]:
        results = {task.number: result_of(task, self._url) for task in tasks}
        return [Line(row, results.get(row.number) or _untold(row)) for row in rows]

    async def _submit(self, batch: BatchRow, rows: list[SheetRow]) -> None:
        tags, recipes = (msgspec.json.decode(text, type=tuple[str, ...]) for text in (batch.tags, batch.recipes))
        for start in range(0, len(rows), CHUNK):
            tasks: dict[int, str] = {}
            for row in rows[start : start + CHUNK]:
                known = (row.identity, row.version)
                origin = Origin(batch.client, batch.id, tags, batch.priority, known, recipes, self._doubt(batch))
                task = await self._intake.accept(row.workflow, row.request, row=row.facts, origin=origin)
                tasks[row.number] = task.id
            await self._journal.batches.submitted(batch.id, tasks)

    def _doubt(self, batch: BatchRow) -> str:
        """Why rows of it may have become tasks that the journal has forgotten; empty if they cannot."""
        restored = self._journal.restored
        return restored.may_be_paid if restored is not None and batch.created_at < restored.at else ""

    async def _complete(self, batch: BatchRow) -> None:
        summary = await self.summary(batch)
        ends = [
            moment(decode(task.observed, Task)) for task in await self._journal.batches.tasks(batch.id) if task.observed
        ]
        ended_at = max(ends, default=self._clock.now())
        await self._completed(batch, msgspec.structs.replace(summary, state="completed"), ended_at)
        await self._journal.batches.complete(batch.id, self._clock.now())


def seconds_left(tasks: Sequence[RowTask], still_open: int, since: float, at_once: int) -> float | None:
    """How long ``still_open`` tasks may take, by how long those took that were asked for ``since`` (Unix seconds): what
    an earlier batch asked for says nothing of today. ``None``: nobody knows before the first has ended."""
    ended = [task for task in tasks if task.finished_at is not None and task.created_at >= since]
    if not still_open:
        return 0.0
    if not ended:
        return None
    ends = sorted(task.finished_at for task in ended if task.finished_at is not None)
    if len(ends) > 3:  # the pace at which they end tells more than how long each takes, for most of that is waiting
        return round((ends[-1] - ends[0]) / (len(ends) - 1) * still_open, 1)
    took = median(task.finished_at - task.created_at for task in ended if task.finished_at is not None)
    return round(took * still_open / max(1, at_once), 1)


def result_of(row: RowTask, url: str) -> Result:
    """What became of a row that has a task; ``url`` is where the relay's files are reached."""
    task = decode(row.observed, Task) if row.observed else None
    if task is None:
        return Result(status=row.status, task_id=row.task_id)
    link = f"{url}/media/{row.media}" if row.media else ""
    if not link and task.output is not None and task.output.media:
        link = task.output.media[0].url
    ended = row.finished_at is not None and row.status in TERMINAL
    return Result(
        status=row.status,
        video_url=link if row.status == Status.SUCCEEDED else "",
        credits=task.usage.credits_settled if ended else None,
        task_id=row.task_id,
        error=_error(task),
        finished_at=_iso(row.finished_at) if ended else "",
    )


def _credits(row: RowTask) -> Decimal:
    return decode(row.observed, Task).usage.credits_settled if row.observed else Decimal(0)


def _error(task: Task) -> str:
    if not task.error_code:
        return ""
    refund = task.usage.credits_refunded
    return f"{task.error_code}: {task.error_message or ''}".rstrip(": ") + (f" (refunded {refund:f})" if refund else "")


def _untold(row: SheetRow) -> Result:
    if row.state == "invalid":
        problems = msgspec.json.decode(row.problems, type=list[CellProblem])
        return Result(status="invalid", error="; ".join(map(str, problems)))
    words: dict[str, str] = {
        "twin": "the same as an earlier row; asked for once",
        "changed": "changed since it was asked for; not asked for again",
        "failed": "failed earlier; not asked for again",
    }
    return Result(status="skipped" if row.state in words else "waiting", error=words.get(row.state, ""))


def _iso(at: float | None) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at is not None else ""


def context(summary: Summary) -> dict[str, Any]:
    """What recipes see as ``batch``."""
    return {name: getattr(summary, name) for name in ("id", "name", "done", "failed", "credits", "rows", "invalid")}
