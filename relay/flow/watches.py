"""All sheets that are watched: their loops, how they stand, what a sheet would come to, and hints from outside."""

import hmac
from collections.abc import Mapping
from decimal import Decimal

import httpx
import msgspec
from msgspec import Struct

from connectors.base import DeliveryError
from connectors.google_sheets import GoogleSheets
from connectors.standard_webhooks import decode_secret, sign
from relay.clock import Clock
from relay.journal import Journal
from relay.log import hide
from relay.recipe import Schedule, wrong_schedule
from relay.recipe.errors import suggestion
from relay.settings import Settings, SheetSettings
from relay.sheets import SheetError
from relay.sheets.columns import IGNORED, SYNONYMS
from relay.sheets.plan import CellProblem

from .connections import Connections
from .estimate import Quote, Quotes
from .intake import Intake
from .watch import Turn, Watch
from .watch_grid import Budgets, Grid
from .watch_take import Taker, problems_of

TOLERANCE = 300.0
"""Seconds that a hint's timestamp may be off, either way."""


STATES = ("new", "known", "changed", "waiting", "twin", "invalid")
"""What a row may come to; ``known``: it has a task. ``twin``: an earlier row is the same, one task serves both."""


class UnknownSheet(Exception):
    """No sheet of that name is watched."""


class UnreadableSheet(Exception):
    """The sheet cannot be read now; the message says why and what to do."""


class WatchView(Struct):
    """A watched sheet, and how it stands. Times are Unix seconds."""

    name: str
    connection: str
    spreadsheet: str
    sheet: str
    schedule: str
    """``every 60 s``, or the hours as cron has them."""
    takes_hints: bool
    """Whether the Apps Script may say that a row was edited."""
    credits_per_day: Decimal | None
    problem: str
    """What keeps it from working; empty if nothing does."""
    read_at: float | None
    due_at: float
    states: dict[str, int]
    """Rows by what they came to; ``taken`` ones have a task."""
    held: dict[str, dict[str, str]]
    """What people wrote over our results, by row id and column; it is left alone."""


class SheetRowPlan(Struct):
    """What one row that may be taken would come to now."""

    number: int
    state: str
    workflow: str
    problems: list[CellProblem]
    note: str
    task_id: str | None
    """The task that it became earlier."""


class SheetPlan(Struct):
    """What a sheet asks for, before anything is spent."""

    name: str
    sheet: str
    columns: dict[str, str]
    rows: list[SheetRowPlan]
    """Rows with an empty status."""
    left_alone: int
    """Rows that have a status, or are not ready."""
    counts: dict[str, int]
    quote: Quote
    credits_per_day: Decimal | None


class Watches:
    """The sheets of the settings, by name."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        clock: Clock,
        intake: Intake,
        quotes: Quotes,
        connections: Connections,
        http: httpx.AsyncClient,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._quotes = quotes
        google, budgets = GoogleSheets(clock.now), dict[str, Budgets]()
        self._takers: dict[str, Taker] = {}
        self._grids: dict[str, Grid] = {}
        self._watches: dict[str, Watch] = {}
        for name, sheet in settings.sheets.items():
            budget = budgets.setdefault(sheet.connection, Budgets.full(clock))
            grid = self._grids[name] = Grid(sheet, connections, google, http, budget, clock)
            taker = self._takers[name] = Taker(sheet, journal, clock, intake, quotes)
            self._watches[name] = Watch(sheet, journal, clock, grid, taker, settings.url)
            hide([sheet.push_secret])

    @property
    def loops(self) -> tuple[Watch, ...]:
        """One for each sheet, so that a slow one delays no other."""
        return tuple(self._watches.values())

    def news(self) -> None:
        """A task moved."""
        for watch in self.loops:
            watch.news()

    def hint(self, name: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Somebody says that a sheet was edited: it is read soon. False: whoever said so could not prove it."""
        watch = self._watches.get(name)
        if watch is None or not watch.settings.push_secret:
            return False
        sent, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not at.isascii() or not at.isdigit() or abs(int(at) - self._clock.wall()) > TOLERANCE:
            return False
        wanted = sign([decode_secret(watch.settings.push_secret)], sent, int(at), body)
        given = headers.get("webhook-signature", "").split()
        if not any(hmac.compare_digest(one.encode(), wanted.encode()) for one in given):
            return False
        watch.hint()
        return True

    async def views(self) -> list[WatchView]:
        """All of them, by name."""
        return [await self._view(name) for name in sorted(self._watches)]

    async def run(self, name: str) -> Turn:
        """Read it now, take and write. Raises :class:`UnknownSheet` or :class:`UnreadableSheet`."""
        watch = self._get(name)
        turn = await watch.turn()
        if watch.problem:
            raise UnreadableSheet(watch.problem)
        return turn

    async def check(self, name: str) -> SheetPlan:
        """What would be taken now, and what it would cost; nothing is written, sent or spent. Raises
        :class:`UnknownSheet` or :class:`UnreadableSheet`."""
        watch, taker, grid = self._get(name), self._takers[name], self._grids[name]
        try:
            view = await watch.look()
        except DeliveryError as error:
            raise UnreadableSheet(error.reason) from error
        except SheetError as error:
            raise UnreadableSheet(str(error)) from error
        known = {row.id: row for row in await self._journal.watched.rows(name)}
        rows = watch.eligible(view, known)
        verdicts = await taker.judge(rows, grid.scope)
        planned: list[SheetRowPlan] = []
        requests: list[tuple[str, str]] = []
        for row, verdict in zip(rows, verdicts, strict=True):
            assert row.plan is not None, "only rows that ask for something are eligible"
            wrong = problems_of(row.plan)
            state = "twin" if verdict.twin else {"taking": "new", "taken": "known"}.get(verdict.state, verdict.state)
            note = "" if wrong else verdict.error
            planned.append(SheetRowPlan(row.number, state, row.plan.workflow, wrong, note, verdict.task_id))
            if state == "new":
                requests.append((row.plan.workflow, msgspec.json.encode(row.plan.request).decode()))
        states = [row.state for row in planned]
        return SheetPlan(
            name=name,
            sheet=view.name,
            columns=view.columns.meanings(),
            rows=planned,
            left_alone=sum(row.plan is not None for row in view.rows) - len(rows),
            counts={state: states.count(state) for state in STATES},
            quote=await self._quotes.quote(requests),
            credits_per_day=watch.settings.credits_per_day,
        )

    async def _view(self, name: str) -> WatchView:
        watch, grid = self._watches[name], self._grids[name]
        settings = watch.settings
        rows = await self._journal.watched.rows(name)
        states = [row.state for row in rows]
        return WatchView(
            name=name,
            connection=settings.connection,
            spreadsheet=grid.spreadsheet or settings.spreadsheet,
            sheet=grid.tab,
            schedule=f"{settings.cron} ({settings.tz})" if settings.cron else f"every {settings.every:g} s",
            takes_hints=bool(settings.push_secret),
            credits_per_day=settings.credits_per_day,
            problem=watch.problem,
            read_at=watch.last.read_at if watch.last else None,
            due_at=watch.due_at,
            states={state: states.count(state) for state in sorted(set(states))},
            held={row.id: row.held for row in rows if row.held},
        )

    def _get(self, name: str) -> Watch:
        if name not in self._watches:
            known = suggestion(name, self._watches) if self._watches else "beatrelay.toml has no [sheets.NAME]"
            raise UnknownSheet(f"no sheet {name[:80]!r} is watched; {known}")
        return self._watches[name]


def wrong_sheets(sheets: Mapping[str, SheetSettings]) -> list[str]:
    """What is wrong with the settings of sheets beyond their form, for people."""
    problems: list[str] = []
    for name, sheet in sheets.items():
        where = f"[sheets.{name}]"
        wrong = wrong_schedule(Schedule(sheet.cron, sheet.tz)) if sheet.cron else ""
        problems += [f"{where} cron: {wrong}"] if wrong else []
        for title, meant in sheet.columns.items():
            if meant not in SYNONYMS and meant != IGNORED and not meant.startswith("row."):
                fields = ", ".join(SYNONYMS)
                problems.append(f"{where} columns: {title!r} is {meant!r}; it must be one of {fields}, row.NAME or -")
        for field in sheet.defaults:
            if field not in SYNONYMS:
                problems.append(f"{where} defaults: {field!r} is no field; there are {', '.join(SYNONYMS)}")
    return problems
