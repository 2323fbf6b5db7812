"""Rows of a watched sheet become tasks: each once, and never more of them than the sheet may spend."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from relay.clock import Clock, minted_at
from relay.contract import TERMINAL, Task, decode
from relay.contract.pricing import Estimate, amount, billionths
from relay.journal import CLIENT, Journal, Known, Spending, WatchedRow, WatchedState
from relay.settings import SheetSettings
from relay.sheets import PlannedRow
from relay.sheets.plan import CellProblem
from relay.sheets.watched import SeenRow

from .estimate import Quotes
from .intake import Intake, Origin

DAY = 86400
FROM_SHEETS = "sheets"
"""Whose rows these are: the same content in two sheets is asked for once, as in two files of one client."""


class Verdict(NamedTuple):
    """What a row that may be taken comes to."""

    state: WatchedState
    error: str = ""
    task_id: str | None = None
    """The task that it became earlier."""
    twin: bool = False
    """An earlier row asks for the very same: one task for both."""


class Taker:
    """Decides about the rows of one sheet, and takes them."""

    def __init__(self, settings: SheetSettings, journal: Journal, clock: Clock, intake: Intake, quotes: Quotes) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._intake = intake
        self._quotes = quotes
        self._origin = Origin(f"{CLIENT}{settings.name}", settings.name, settings.tags, settings.priority)

    async def take(
        self, rows: Sequence[SeenRow], earlier: Mapping[str, WatchedRow], scope: str, tab: str
    ) -> list[WatchedRow]:
        """Ask for all that may be asked for; ``earlier``: what is known of these rows. What a row asks for is written
        down before, so that one that is edited after a crash is not asked for again with other content."""
        judged = await self.judge(rows, scope)
        taken = [
            taken
            for row, verdict in zip(rows, judged, strict=True)
            if not _same(taken := self._row(row, verdict, earlier.get(row.id), scope, tab), earlier.get(row.id))
        ]
        await self._journal.watched.put(taken)
        await self.resume(taken)
        return taken

    async def resume(self, rows: Sequence[WatchedRow]) -> None:
        """Ask for rows that were written down as about to be taken; asking again changes nothing. The error of such a
        row says why it may have been paid for already."""
        due = [row for row in rows if row.state == "taking"]
        for row in due:
            origin = msgspec.structs.replace(self._origin, row=(row.identity, row.version), doubt=row.error)
            accepted = await self._intake.accept_row(row.workflow, row.request, origin, facts=row.facts)
            if accepted.task.row_version == row.version:
                row.state, row.task_id, row.error = "taken", accepted.task.id, ""
            else:
                row.state, row.error = "changed", CHANGED
        await self._journal.watched.put(due)

    def _row(self, row: SeenRow, verdict: Verdict, earlier: WatchedRow | None, scope: str, tab: str) -> WatchedRow:
        assert row.plan is not None, "only rows that ask for something are taken"
        facts = {**row.plan.facts, "row": row.number, "sheet": tab, "row_id": row.id}
        written = dict(earlier.written) if earlier else {}
        if not row.text("status"):
            written.pop("status", None)
        return WatchedRow(
            sheet=self._settings.name,
            id=row.id,
            identity=identity(row.plan, scope),
            version=row.plan.fingerprint,
            workflow=row.plan.workflow,
            request=msgspec.json.encode(row.plan.request).decode(),
            facts=msgspec.json.encode(facts).decode(),
            state=verdict.state,
            error=verdict.error or (self._doubt(row, earlier) if verdict.state == "taking" else ""),
            task_id=verdict.task_id,
            written=written,
            held=dict(earlier.held) if earlier else {},
            updated_at=self._clock.now(),
        )

    def _doubt(self, row: SeenRow, earlier: WatchedRow | None) -> str:
        """Why the row may have been taken before: it has an id from before the journal was put back from a copy, and
        the journal does not know it."""
        restored = self._journal.restored
        if restored is None or earlier is not None or (minted_at(row.id) or 0.0) >= restored.at:
            return ""
        return restored.may_be_paid

    async def judge(self, rows: Sequence[SeenRow], scope: str) -> list[Verdict]:
        """What would become of these rows now; nothing is asked for."""
        plans = [row.plan for row in rows if row.plan is not None]
        known: dict[str, list[Known]] = {}
        for one in await self._journal.batches.known([identity(plan, scope) for plan in plans]):
            known.setdefault(one.identity, []).append(one)
        purse = await self._purse()
        asked: set[str] = set()
        verdicts: list[Verdict] = []
        for plan in plans:
            name = identity(plan, scope)
            verdict = self._judge(plan, known.get(name, []), purse, twin=name in asked)
            if verdict.state == "taking":
                asked.add(name)
            verdicts.append(verdict)
        return verdicts

    def _judge(self, plan: PlannedRow, known: Sequence[Known], purse: "Purse", *, twin: bool) -> Verdict:
        wrong = problems_of(plan)
        if wrong:
            return Verdict("invalid", "; ".join(map(shown, wrong)))
        same = [one for one in known if one.version == plan.fingerprint]
        if same:
            return Verdict("taken", task_id=same[-1].task_id)
        if known:
            return Verdict("changed", CHANGED)
        if twin:
            return Verdict("taking", twin=True)
        price = self._quotes.price(plan.workflow, msgspec.json.encode(plan.request).decode())
        return purse.pay(price)

    async def _purse(self) -> "Purse":
        limit = self._settings.credits_per_day
        if limit is None:
            return Purse(None, 0)
        midnight = self._clock.now() // DAY * DAY
        tasks = await self._journal.watched.spending(self._settings.name, midnight)
        return Purse(limit, sum(map(self._cost, tasks)))

    def _cost(self, one: Spending) -> int:
        """What a task cost; until that is settled, the most that it may."""
        if one.status in TERMINAL and one.observed:
            return billionths(decode(one.observed, Task).usage.credits_settled) or 0
        return most(self._quotes.price(one.workflow, one.request)) or 0


class Purse:
    """What the sheet may still spend today, counted by the most that a row may cost until its cost is known."""

    def __init__(self, limit: Decimal | None, spent: int) -> None:
        self._limit = limit
        self._spent = spent

    def pay(self, estimate: Estimate) -> Verdict:
        """Take a row, or let it wait."""
        price, limit = most(estimate), billionths(self._limit)
        if limit is None:
            return Verdict("taking")
        unit = "USD" if estimate.unit == "usd" else "credits"
        if price is None:
            return Verdict(
                "waiting", f"what it costs is not known, and this sheet may spend {self._limit} {unit} a day"
            )
        if price > limit:
            why = f"it may cost {amount(price)} {unit}, and this sheet may spend {self._limit} a day"
            return Verdict("waiting", f"{why}; give it a duration, or raise credits_per_day")
        if self._spent + price > limit:
            why = f"this sheet may spend {self._limit} {unit} a day, and today's rows use them"
            return Verdict("waiting", f"{why}; it goes on by itself at 00:00 UTC")
        self._spent += price
        return Verdict("taking")


CHANGED = "a row of this id was asked for before with other content; give it another id to ask for this as well"


def _same(row: WatchedRow, earlier: WatchedRow | None) -> bool:
    """Whether nothing has changed about a row that was not taken."""
    if earlier is None or row.state in ("taking", "taken"):
        return False
    return (row.version, row.state, row.error) == (earlier.version, earlier.state, earlier.error)


def most(estimate: Estimate) -> int | None:
    """What it will cost if that can be said, else the most that it may (billionths); ``None``: nobody knows."""
    return billionths(estimate.likely if estimate.likely is not None else estimate.most)


def identity(plan: PlannedRow, scope: str) -> str:
    """The name under which a row's task is known for ever."""
    return f"{FROM_SHEETS}/{scope if plan.key.startswith('id:') else ''}/{plan.key}"


def problems_of(plan: PlannedRow) -> list[CellProblem]:
    """Everything that is wrong with it; a file on somebody's machine is no use here."""
    rule, fix = "is a file on somebody's machine", "put it where a link opens it, and give the link"
    return [
        *plan.problems,
        *(CellProblem(upload.cell, upload.field, upload.path, rule, fix) for upload in plan.uploads),
    ]


def shown(problem: CellProblem) -> str:
    """One problem for its cell: which one, what stands there, what would be right."""
    where = f"{problem.column} ({problem.cell})" if problem.cell else problem.column
    value = f" is {problem.value[:80]!r}:" if problem.value else ":"
    return f"{where}{value} {problem.rule}" + (f"; {problem.fix}" if problem.fix else "")
