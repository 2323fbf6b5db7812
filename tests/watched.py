"""A watched sheet for tests: Google's fake behind the real connector, a real journal in memory, virtual time."""

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

import httpx
import msgspec

from connectors.google_sheets import GoogleSheets
from relay.contract.pricing import RateTable
from relay.flow.connections import Connections
from relay.flow.estimate import Prices, Quotes
from relay.flow.govern import Governor
from relay.flow.intake import Intake
from relay.flow.observe import Observer, Pace
from relay.flow.watch import Watch
from relay.flow.watches import Watches
from relay.providers import BeatApi
from relay.recipe import RecipeSet, Renderer
from relay.settings import Settings, SheetSettings
from relay.vault import Vault, new_key
from tests.fakes.google_sheets import SheetsFake
from tests.google import person
from tests.simulation.world import InlineJournal, new_database
from tests.virtual import VirtualClock

HEADER = ["Title", "Audio", "Image 1", "Format"]
URL = "https://sheets.google.example"


def song(number: int, format: str = "1:1") -> list[Any]:
    media = "https://media.example.com"
    return [f"Song {number}", f"{media}/{number}.mp3", f"{media}/{number}.png", format]


@cache
def _empty() -> sqlite3.Connection:
    return new_database()


def copy_of(database: sqlite3.Connection) -> sqlite3.Connection:
    copied = sqlite3.connect(":memory:", isolation_level=None)
    copied.row_factory = sqlite3.Row
    database.backup(copied)
    return copied


class Line(httpx.AsyncBaseTransport):
    """The way to the fake, on which things go wrong: ``cut`` before it arrives, ``lost`` after it was done, or a status
    in place of the answer."""

    def __init__(self, fake: SheetsFake) -> None:
        self._inner = httpx.ASGITransport(fake)
        self.faults: deque[str | int | httpx.Response | None] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = None if request.url.path == "/token" or not self.faults else self.faults.popleft()
        if fault == "cut":
            raise httpx.ConnectError("the line is cut")
        if isinstance(fault, httpx.Response):
            return fault
        if isinstance(fault, int):
            return httpx.Response(fault, json={"error": {"code": fault, "message": "not now"}})
        answer = await self._inner.handle_async_request(request)
        if fault == "lost":
            raise httpx.ReadError("the answer is lost")
        return answer


class Desk:
    """One spreadsheet on one table, with the relay at one side and people at the other."""

    tabs = ("",)
    """Each is watched as a sheet of its own; the first tab alone by default."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.clock = VirtualClock(seed)
        self.fake = SheetsFake()
        self.rows = self.fake.rows
        self.rows.append(list(HEADER))
        self.line = Line(self.fake)
        self.database = copy_of(_empty())
        self.settings = SheetSettings(
            **{"name": "songs", "connection": "google", "spreadsheet": "sheet_1", "settle": 0.0, **settings}
        )
        self.left: int | None = None
        """How often the relay may still use its journal before it dies, in the middle of what it does."""
        self.start()

    def start(self) -> None:
        """A relay that knows only what is in the journal: what a restart leaves."""
        self.left = None
        clock, journal = self.clock, InlineJournal(self.database, self._alive)
        self.journal = journal
        http = httpx.AsyncClient(transport=self.line)
        slow = {"timeout": 1.0, "upload_timeout": 1.0}
        provider = BeatApi(http, URL, "sk_key", [], contract="launch", polls_per_minute=120, **slow)
        recipes, renderer = RecipeSet(), Renderer()
        observer = Observer(journal, clock, lambda: recipes, renderer, Pace(), lambda: None)
        governor = Governor(journal, clock, provider)
        prices = Prices(RateTable(), governor)
        intake = Intake(journal, clock, provider, observer, governor, prices, lease=40.0)
        connectors = {"google_sheets": GoogleSheets()}
        fixed = {"google": {"connector": "google_sheets", **person(URL)}}
        connections = Connections(journal, clock, Vault([new_key()]), connectors, fixed, http)
        quotes = Quotes(journal, governor, prices)
        sheets = {
            f"songs{tab}": msgspec.structs.replace(self.settings, name=f"songs{tab}", sheet=tab or self.settings.sheet)
            for tab in self.tabs
        }
        settings = Settings(sheets=sheets, public_url="https://relay.example")
        self.watches = Watches(settings, journal, clock, intake, quotes, connections, http)
        self.watch: Watch = self.watches.loops[0]

    async def turn(self, seconds: float = 60.0) -> None:
        """Let time pass, and the sheet be read; a relay that dies over it is started anew."""
        self.clock.advance(seconds)
        turning = asyncio.create_task(self.watch.turn())
        while not turning.done():
            await asyncio.sleep(0)
            nap = self.clock.until_next()
            if nap is not None:
                self.clock.advance(nap)
        if turning.cancelled():
            self.start()
        else:
            await turning

    def _alive(self) -> bool:
        if self.left is not None:
            self.left -= 1
        return self.left is None or self.left >= 0

    def tasks(self) -> list[sqlite3.Row]:
        return self.database.execute("SELECT * FROM tasks ORDER BY id").fetchall()

    def finish(self, task_id: str, status: str = "succeeded", credits: str = "50", **told: Any) -> None:
        """The provider's truth has come in."""
        now = self.clock.now()
        media = [{"type": "video", "url": f"https://cdn.example/{task_id}.mp4", "mime_type": "video/mp4"}]
        observed = {
            "id": f"at_{task_id}",
            "status": status,
            "stage": status,
            "workflow": "music-video",
            "created_at": int(now),
            "updated_at": int(now),
            "completed_at": int(now),
            "output": {"media": media} if status == "succeeded" else None,
            "usage": {"credits_settled": float(Decimal(credits)), "credits_refunded": 0},
            **told,
        }
        self.database.execute(
            "UPDATE tasks SET status = ?, observed = ?, finished_at = ?, confirmed = 1, updated_at = ? WHERE id = ?",
            (status, json.dumps(observed), now, now, task_id),
        )

    def column(self, heading: str) -> int:
        return self.rows[0].index(heading)

    def cell(self, title: str, heading: str) -> Any:
        """What stands under ``heading`` in the row of that title."""
        row = self.row(title)
        at = self.column(heading)
        return row[at] if at < len(row) else ""

    def row(self, title: str) -> list[Any]:
        (found,) = [row for row in self.rows[1:] if row and row[0] == title]
        return found

    def put(self, title: str, heading: str, value: Any) -> None:
        """A person types."""
        row, at = self.row(title), self.column(heading)
        row.extend("" for _ in range(at + 1 - len(row)))
        row[at] = value

    def before(self, *meddling: Callable[[], None]) -> None:
        """Let these happen before the next calls, one each, after time for the token."""
        left = deque(meddling)
        self.fake.meddle = lambda _: left.popleft()() if left else None
