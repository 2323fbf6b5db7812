"""A watched tab of a Google spreadsheet, through a connection and within Google's quotas."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from connectors.base import DeliveryError
from connectors.google_sheets import GoogleSheets
from connectors.google_sheets_table import Block, Table
from relay.clock import Clock
from relay.settings import SheetSettings

from .connections import Connections
from .poll import Budget

PER_MINUTE = 50
"""Readings, and as many writings, that we ask of one account in a minute; Google allows 60, and it has other users."""
SHORTEST = 0.05
"""Seconds that are waited at least: less than the clock can tell would be waited for ever."""
CONNECTOR = "google_sheets"


class Budgets(NamedTuple):
    """What one connection may still ask of Google; shared by all sheets that are watched through it."""

    reads: Budget
    writes: Budget

    @classmethod
    def full(cls, clock: Clock) -> "Budgets":
        return cls(Budget(PER_MINUTE, clock), Budget(PER_MINUTE, clock))


class Grid:
    """Reads and writes. Raises :class:`connectors.base.DeliveryError`: later, or not without a person."""

    def __init__(
        self,
        settings: SheetSettings,
        connections: Connections,
        google: GoogleSheets,
        http: httpx.AsyncClient,
        budgets: Budgets,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._connections = connections
        self._google = google
        self._http = http
        self._budgets = budgets
        self._clock = clock
        self._table: Table | None = None
        self._used: Mapping[str, str] = {}

    @property
    def scope(self) -> str:
        """Names the tab for ever, also when it is renamed; known once it was read."""
        return "" if self._table is None else f"{self._table.spreadsheet}/{self._table.gid}"

    @property
    def tab(self) -> str:
        """Its name."""
        return self._settings.sheet if self._table is None else self._table.sheet

    @property
    def spreadsheet(self) -> str:
        """Google's id of the spreadsheet; empty until it was read."""
        return "" if self._table is None else self._table.spreadsheet

    async def read(self) -> Block:
        """Everything that stands there now."""
        table = await self._open()
        await self._turn(self._budgets.reads)
        try:
            return await table.block(self._settings.range)
        except DeliveryError:
            self._table = None  # the tab may have been renamed: look it up again
            raise

    async def write(self, cells: Mapping[tuple[int, int], Any]) -> None:
        """All of it in one request, as it is: nothing is read as a formula."""
        table = await self._open()
        await self._turn(self._budgets.writes)
        await table.put(cells)

    async def _open(self) -> Table:
        values = await self._connections.use(self._settings.connection, CONNECTOR)
        if self._table is None or values != self._used:
            await self._turn(self._budgets.reads)
            found = await self._google.table(values, self._http, self._settings.spreadsheet, self._settings.sheet)
            self._table, self._used = found, values
        return self._table

    async def _turn(self, budget: Budget) -> None:
        while not budget.take(1):
            await self._clock.sleep(max(budget.wait(), SHORTEST))
