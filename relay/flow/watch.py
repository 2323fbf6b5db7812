"""Watches one Google sheet: rows with an empty status become tasks, and what becomes of those is written beside them.

A turn reads, acts, and reads again until nothing is left to do. Every reading is the truth; remembered is what was
asked for and written, by row, and how the sheet was seen last: in the journal, before anything is sent.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from connectors.base import DeliveryError, Retry
from connectors.google_sheets_table import Block
from relay.clock import Clock
from relay.journal import Entry, Journal, WatchedRow
from relay.recipe import Schedule, next_time
from relay.settings import SheetSettings
from relay.sheets import PlannedRow, SheetError
from relay.sheets.belief import Belief
from relay.sheets.columns import RESULTS
from relay.sheets.columns import plain as folded
from relay.sheets.watched import SeenRow, View, Write, plain, view_of

from .loop import Loop
from .watch_cells import arrived, desired, doubted, names, noted, overwritten, owners_of, refuse, said_by, wanted
from .watch_copies import followers
from .watch_take import Taker

log = logging.getLogger("beatrelay")

ROUNDS = 8
"""Times that one turn reads at most; three are enough unless somebody edits at the very moment."""
SPACING = 5.0
"""Seconds between two turns at least: news is gathered, and hints cannot hurry us."""
BACKOFF_FIRST, BACKOFF_MOST = 1.0, 64.0
"""Seconds: truncated exponential back-off, as Google asks for."""
STUCK = 300.0
"""Seconds until it is tried again what only a person can mend."""
_YES = {"yes", "y", "true", "1", "x", "ok", "go", "ready", "ja", "oui", "si", "✓", "✔", "☑", "✅"}


class Cells(Protocol):
    """A tab, as :class:`relay.flow.watch_grid.Grid` has it."""

    @property
    def scope(self) -> str: ...

    @property
    def tab(self) -> str: ...

    async def read(self) -> Block: ...

    async def write(self, cells: Mapping[tuple[int, int], Any]) -> None: ...


class Turn(Struct):
    """What one turn did. Times are Unix seconds."""

    read_at: float
    rows: int = 0
    """Rows that ask for something."""
    taken: int = 0
    """Rows that became tasks."""
    written: int = 0
    """Rows that were written into."""


class Watch(Loop):
    """One sheet. :meth:`hint` says that somebody edited it, :meth:`news` that a task moved."""

    def __init__(
        self, settings: SheetSettings, journal: Journal, clock: Clock, cells: Cells, taker: Taker, url: str
    ) -> None:
        super().__init__(f"sheet {settings.name}", clock)
        self.settings = settings
        self.problem = ""
        """What keeps it from working, for people; empty if nothing does."""
        self.last: Turn | None = None
        self.due_at = clock.now() if not settings.cron else self._at(clock.now())
        """When it is read again."""
        self._journal = journal
        self._cells = cells
        self._taker = taker
        self._url = url
        self._not_before = 0.0
        self._failures = 0
        self._news = False
        self._hinted = False
        self._since: dict[tuple[str, ...], float] = {}
        self._turning = asyncio.Lock()
        self._belief: Belief | None = None
        self._memory: bytes | None = None
        """What the journal has of it."""

    def news(self) -> None:
        """A task moved; whether it is one of ours is seen later."""
        self._news = True
        self.nudge()

    def hint(self) -> None:
        """Somebody edited the sheet."""
        self._hinted = True
        self.nudge()

    async def step(self) -> float:
        now = self._clock.now()
        if now >= self._not_before:
            news, self._news = self._news, False
            taking = now >= self.due_at or self._hinted
            if taking or (news and await self._stale()):
                await self.turn(taking=taking)
        soon = self._not_before if self._hinted or self._news else max(self.due_at, self._not_before)
        return self.until(soon)

    async def drain(self) -> None:
        """Wait for the turn that is under way."""
        async with self._turning:
            return

    async def turn(self, *, taking: bool = True) -> Turn:
        """Read, take (unless not ``taking``), write; what goes wrong is kept in :attr:`problem`, and tried again."""
        async with self._turning:
            self._hinted = self._hinted and not taking
            turn = self.last = Turn(self._clock.now())
            try:
                await self._work(turn, taking)
            except (DeliveryError, SheetError) as error:
                self._failed(error)
            else:
                self._worked(turn, taking)
            return turn

    async def look(self) -> View:
        """The sheet as it stands. Raises :class:`DeliveryError` or :class:`SheetError`."""
        settings = self.settings
        block = await self._cells.read()
        if not any(any(plain(cell) for cell in row) for row in block.rows):
            raise SheetError(f"the tab {self._cells.tab!r} is empty; its first row must name the columns")
        view = view_of(block.rows, block.top, block.left, self._cells.tab, settings.columns, settings.defaults)
        refuse(view, settings)
        return view

    def eligible(self, view: View, known: Mapping[str, WatchedRow]) -> list[SeenRow]:
        """Rows that ask for something and say by their status that they may be taken."""
        owners, asked = owners_of(view, known), {row.task_id for row in known.values() if row.task_id}
        return [
            row
            for row in view.rows
            if row.plan is not None
            and self._free(row, known.get(row.id) if owners.get(row.id) is row else None, asked)
            and self._ready(row.plan)
        ]

    async def _work(self, turn: Turn, taking: bool) -> None:
        known = {row.id: row for row in await self._journal.watched.rows(self.settings.name)}
        await self._taker.resume(list(known.values()))
        for _ in range(ROUNDS):
            view = await self.look()
            belief = await self._believe(known)
            repairs = belief.learn(view)
            moved = arrived(view, known)
            doubtful = doubted(view, known, belief.nameless, everything=belief.blanked)
            copied = followers(view, owners_of(view, known), known, self._clock.now(), emptied=not belief.blanked)
            await self._journal.watched.put([*doubtful, *copied])
            known |= {row.id: row for row in copied}
            turn.rows = sum(row.plan is not None for row in view.rows)
            free = self._settled(self.eligible(view, known)) if taking else []
            owners = owners_of(view, known)
            mine = [row for row in free if owners.get(row.id) is row]
            taken = await self._taker.take(mine, known, self._cells.scope, self._cells.tab)
            turn.taken += sum(row.task_id is not None for row in taken)
            known |= {row.id: row for row in taken}
            new_id = partial(self._clock.new_id, "row")
            ids = names(view, free, owners, known, belief.nameless, belief.copied, new_id)
            writes = [*repairs, *ids, *await self._results(owners, known, moved)]
            belief.sending(writes)
            await self._remember(belief)
            if not writes:
                return
            turn.written += len({write.number for write in writes})
            await self._cells.write(view.addressed(writes))

    async def _believe(self, known: Mapping[str, WatchedRow]) -> Belief:
        if self._belief is None:
            cells = {row.id: {**row.written, **row.held} for row in known.values()}
            said = {row.id: said_by(row) for row in known.values()}
            self._belief = Belief(cells, said, {row.id: row.pending for row in known.values()})
            self._memory = await self._journal.watched.memory(self.settings.name)
            if self._memory is not None:
                with suppress(msgspec.DecodeError):  # of another release: the rows alone have to do
                    self._belief.recall(self._memory)
        return self._belief

    async def _remember(self, belief: Belief) -> None:
        """Keep it for a relay that starts anew, before anything is sent."""
        memory = belief.packed()
        if memory != self._memory:
            await self._journal.watched.remember(self.settings.name, memory)
            self._memory = memory

    def _free(self, row: SeenRow, kept: WatchedRow | None, asked: Collection[str]) -> bool:
        status = row.text("status")
        if kept is None:
            return status == "" and row.text("task_id") not in asked
        if kept.state == "taken":
            return status == "" and kept.done  # a person emptied it
        return status in ("", kept.written.get("status", ""), kept.pending.get("status", ""))

    def _ready(self, plan: PlannedRow) -> bool:
        wanted = folded(self.settings.ready)
        says = next((text for name, text in plan.facts.items() if folded(name) == wanted), "")
        return not wanted or says.strip().lower() in _YES

    def _settled(self, rows: Sequence[SeenRow]) -> list[SeenRow]:
        """Those that have been as they are for long enough."""
        now = self._clock.now()
        self._since = {row.inputs: self._since.get(row.inputs, now) for row in rows}
        return [row for row in rows if now - self._since[row.inputs] >= self.settings.settle]

    async def _results(
        self, owners: Mapping[str, SeenRow], known: Mapping[str, WatchedRow], moved: set[str]
    ) -> list[Write]:
        tasks = dict(await self._journal.watched.open(self.settings.name))
        now = self._clock.now()
        changed: list[WatchedRow] = []
        history: list[Entry] = []
        writes: list[Write] = []
        for row_id, row in owners.items():
            kept = known.get(row_id)
            if kept is None:
                continue
            before = (dict(kept.written), dict(kept.pending), dict(kept.held))
            ended = kept.task_id is not None and row_id not in tasks
            if ended:
                kept.held = overwritten(row, kept)
            elif found := wanted(row, kept, tasks.get(row_id), self._url):
                writes.append(Write(number=row.number, id=row.id, inputs=row.inputs, cells=found))
            if (kept.done and not ended) or row_id in moved or before != (kept.written, kept.pending, kept.held):
                kept.updated_at = kept.updated_at if ended else now
                changed.append(kept)
                history += noted(kept, before[2], now)
        await self._journal.watched.put(changed, history)
        return writes

    async def _stale(self) -> bool:
        """Whether a task of ours has moved since it was written into the sheet."""
        known = {row.id: row for row in await self._journal.watched.rows(self.settings.name)}
        for row_id, task in await self._journal.watched.open(self.settings.name):
            kept = known[row_id]
            result, _ = desired(kept, task, self._url)
            if any(kept.written.get(name, "") != plain(result[name]) for name in RESULTS if name not in kept.held):
                return True
        return False

    def _failed(self, error: DeliveryError | SheetError) -> None:
        reason = error.reason if isinstance(error, DeliveryError) else str(error)
        if reason != self.problem:
            log.warning("the sheet %s: %s", self.settings.name, reason)
        self.problem = reason
        wait = STUCK
        if isinstance(error, Retry):
            backoff = min(BACKOFF_FIRST * 2**self._failures, BACKOFF_MOST) + self._clock.jitter(0.0, 1.0)
            wait = max(error.after or 0.0, backoff)
            self._failures = min(self._failures + 1, 10)
        self._not_before = self.due_at = self._clock.now() + wait

    def _worked(self, turn: Turn, taking: bool) -> None:
        if self.problem:
            log.info("the sheet %s works again", self.settings.name)
        self.problem, self._failures = "", 0
        now = self._clock.now()
        self._not_before = now + SPACING
        if taking:
            settle = self.settings.settle
            typing = [since + settle for since in self._since.values() if now - since < settle]
            self.due_at = max(min([self._at(turn.read_at), *typing]), self._not_before)

    def _at(self, last: float) -> float:
        """When it is read again by the settings, if ``last`` was the last time."""
        settings, now = self.settings, self._clock.now()
        if not settings.cron:
            return last + settings.every
        return next_time(Schedule(settings.cron, settings.tz), now) or now + STUCK
