"""Kills a delivery between "the destination accepted it" and "we wrote it down", then lets a new life end it.

One delivery of one finish, with a real journal and media store on disk, the real deliverer and your connector. A life
passes *moments*: after each HTTP answer (``answered POST /path``), before and after each note (``note NAME``, ``noted
NAME``), and ``settle``, when the connector is done and nothing of it is on disk yet. The seed says at which one the
relay's process gets its SIGKILL: half of the seeds at ``settle``, the others at one of the first moments. Then a second
life starts on the same folder and works until the delivery is done or dead. You count the effects at the destination::

    @pytest.mark.parametrize("seed", range(100))
    async def test_one_message_whatever_the_moment(tmp_path: Path, seed: int) -> None:
        fake = Fake()
        with running(fake.app) as url:
            case = Case("connectors.slack:Slack", {"channel": "#releases"}, {"url": url, "token": "xoxb-1"})
            death = await killed(tmp_path, case, seed)
        assert death.row.state == "done", death
        assert len(fake.messages) == 1, death
"""

import asyncio
import functools
import gc
import hashlib
import importlib
import os
import random
import signal
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlite_utils import Database

from connectors.base import Connector
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.journal import (
    Change,
    DeliveryRow,
    Entry,
    Finish,
    MediaRow,
    Operation,
    Settlement,
    SqliteJournal,
    TaskRow,
)
from relay.journal.migrations import migrations
from relay.net import Egress, guarded_client
from relay.recipe import Recipe, RecipeSet, Renderer, parse
from relay.settings import Settings
from relay.vault import open_vault
from tests.forks import forks
from tests.virtual import VirtualClock

TASK = "task_killed"
DELIVERY = "dlv_killed"
MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 40
"""The finished file."""
FIRST_MOMENTS = 6
"""Deaths that are not at ``settle`` are at one of so many first moments."""
LONGEST = 60.0
"""Real seconds that a life may take."""


@dataclass
class Case:
    """One delivery: which connector (``module:Class``), its ``with:``, its connection."""

    connector: str
    with_: dict[str, Any] = field(default_factory=dict[str, Any])
    connection: dict[str, str] = field(default_factory=dict[str, str])
    allow_private: list[str] = field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    row: dict[str, str] = field(default_factory=lambda: {"title": "Neon rooftop", "artist": "Mia"})
    media: bytes = MEDIA

    def make(self) -> Connector:
        module, _, name = self.connector.partition(":")
        return getattr(importlib.import_module(module), name)()


@dataclass
class Death:
    """Where the first life ended (``None``: the delivery was over before the moment came), and what became of it."""

    seed: int
    at: str | None
    first: list[str]
    """The moments that the first life passed."""
    second: list[str]
    row: DeliveryRow


async def killed(folder: Path, case: Case, seed: int) -> Death:
    """Two lives of one delivery, with a SIGKILL between them."""
    module = case.connector.partition(":")[0]
    order = {"folder": str(folder), "case": msgspec.json.encode(case).decode(), "seed": seed}
    first = await asyncio.to_thread(forks().call, f"{__name__}:first_life", imports=module, **order)
    assert first.code in (0, -signal.SIGKILL)
    second = Life(folder, case, start=1)
    row = await second.live()
    return Death(seed, first.lines[-1] if first.code else None, first.lines, second.passed, row)


def first_life(folder: str, case: str, seed: int) -> None:
    """Live until the moment of the seed; each one that is passed is printed."""
    chance = random.Random(seed)
    early = chance.randint(1, FIRST_MOMENTS) if chance.random() < 0.5 else None
    number = 0

    def pass_by(name: str) -> None:
        nonlocal number
        number += 1
        print(name, flush=True)
        if name == "settle" or number == early:
            os.kill(os.getpid(), signal.SIGKILL)

    async def live() -> None:
        await Life(Path(folder), msgspec.json.decode(case, type=Case), pass_by).live()

    asyncio.run(live())


def warm() -> None:
    """A whole life, so that those to come need not import, compile and read certificates first."""

    async def live(folder: Path) -> None:
        case = Case("connectors.folder:Folder", {"path": "{{ row.title }}.mp4"}, {"root": str(folder / "shelf")})
        await Life(folder, case).live()
        async with guarded_client(Egress(["127.0.0.0/8"])) as client:
            with suppress(httpx.ConnectError):
                await client.get("http://127.0.0.1:1/")

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder)))
    gc.collect()
    gc.freeze()


class Life:
    """One life of a relay that has nothing to do but this delivery."""

    def __init__(
        self, folder: Path, case: Case, pass_by: Callable[[str], None] = lambda _: None, *, start: int = 0
    ) -> None:
        self.passed: list[str] = []
        self._pass_by = pass_by
        self._case, self._folder = case, folder
        self.clock = VirtualClock(seed=start, now=1_800_000_000.0 + start * 60)
        self._store = MediaStore(folder / "media")
        self._connector = case.make()
        self._recipe = _recipe(case, self._connector)
        self.journal = SqliteJournal.open(_journal(folder / "journal.db"))
        self._client = guarded_client(Egress(case.allow_private), timeout=20.0)
        self._watch()
        self._deliverer = self._make_deliverer()

    def _watch(self) -> None:
        """Put a moment beside everything that leaves or stays."""
        self._client._transport = _Watched(self._client._transport, self._moment)
        exchange = self._client.exchange

        async def watched_exchange(method: str, url: str, *more: Any) -> Any:
            answer = await exchange(method, url, *more)
            self._moment(f"answered {method} {httpx.URL(url).path}")
            return answer

        self._client.exchange = watched_exchange
        settle, put = self.journal.deliveries.settle, self.journal.notes.put

        async def watched_settle(settlement: Settlement) -> bool:
            self._moment("settle")
            return await settle(settlement)

        async def watched_put(scope: str, name: str, value: bytes, now: float) -> None:
            self._moment(f"note {name}")
            await put(scope, name, value, now)
            self._moment(f"noted {name}")

        self.journal.deliveries.settle = watched_settle
        self.journal.notes.put = watched_put

    def _make_deliverer(self) -> Deliverer:
        recipes = RecipeSet([self._recipe])
        connectors = {self._connector.name: self._connector}
        settings = Settings(data=self._folder, allow_private=self._case.allow_private)
        vault = open_vault([], self._folder / "vault.key")
        known = {"there": self._case.connection}
        connections = Connections(self.journal, self.clock, vault, connectors, known, self._client)
        return Deliverer(
            self.journal,
            self.clock,
            lambda: recipes,
            Renderer(),
            connectors,
            self._store,
            self._client,
            settings,
            vault,
            connections,
        )

    def _moment(self, name: str) -> None:
        """Something happened; perhaps it was the last thing."""
        self.passed.append(name)
        self._pass_by(name)

    async def live(self) -> DeliveryRow:
        """Work until the delivery is over; gives its last row."""
        async with asyncio.timeout(LONGEST):
            row = await self._work()
        await self._client.aclose()
        await self.journal.close()
        return row

    async def _work(self) -> DeliveryRow:
        if await self.journal.tasks.get(TASK) is None:
            await self._begin()
        while True:
            row = await self.journal.deliveries.get(DELIVERY)
            assert row is not None
            if row.state in ("done", "dead"):
                return row
            due = await self.journal.deliveries.next_due()
            self.clock.advance(max(0.0, (due or 0.0) - self.clock.now()) + 0.001)
            await self._deliverer.step()
            await self._deliverer.drain()

    async def _begin(self) -> None:
        now = self.clock.now()
        task = TaskRow(
            id=TASK,
            provider="beatapi",
            workflow="music-video",
            status="succeeded",
            request="{}",
            created_at=now,
            updated_at=now,
            row=msgspec.json.encode(self._case.row).decode(),
        )
        operation = Operation(
            id="op_killed", task_id=TASK, kind="create", state="accepted", body="{}", created_at=now, due_at=None
        )
        recipe = self._recipe
        await self.journal.tasks.create(task, operation, Entry(task_id=TASK, at=now, kind="task.accepted"))
        await self.journal.deliveries.keep_recipe(recipe.hash, recipe.name, recipe.file, recipe.source)
        await self.journal.deliveries.add_media(self._media(now))
        await self.journal.tasks.apply(Change(task=task, finish=_finish(now), deliveries=[_row(recipe, now)]))

    def _media(self, now: float) -> MediaRow:
        path = Path(TASK) / "r1-0.mp4"
        (self._store.root / TASK).mkdir(parents=True, exist_ok=True)
        (self._store.root / path).write_bytes(self._case.media)
        return MediaRow(
            id="med_killed",
            task_id=TASK,
            revision=1,
            position=0,
            source_url="https://media.example.com/1.mp4",
            name=f"{TASK}.mp4",
            path=str(path),
            mime_type="video/mp4",
            size=len(self._case.media),
            sha256=hashlib.sha256(self._case.media).hexdigest(),
            stored_at=now,
        )


def _journal(file: Path) -> Path:
    """A life begins with an empty journal that has its tables, copied because making them takes longest."""
    if not file.exists():
        file.write_bytes(_empty_journal())
    return file


@functools.cache
def _empty_journal() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.db"
        with closing(sqlite3.connect(file)) as connection:
            migrations.apply(Database(connection))
        return file.read_bytes()


class _Watched(httpx.AsyncBaseTransport):
    """The relay's own transport, with a moment after each answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, moment: Callable[[str], None]) -> None:
        self._inner, self._moment = inner, moment

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        self._moment(f"answered {request.method} {request.url.path}")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _recipe(case: Case, connector: Connector) -> Recipe:
    step = {"use": connector.name, "connection": "there", "with": case.with_}
    document = {"name": "Killed", "on": "task.succeeded", "steps": {"go": step}}
    return parse(msgspec.json.encode(document).decode(), "killed.yaml")


def _finish(now: float) -> Finish:
    media = {"type": "video", "url": "https://media.example.com/1.mp4", "mime_type": "video/mp4"}
    observed = {
        "id": "theirs",
        "status": "succeeded",
        "workflow": "music-video",
        "created_at": int(now),
        "updated_at": int(now),
        "completed_at": int(now),
        "output": {"media": [media]},
    }
    return Finish(
        task_id=TASK,
        revision=1,
        event_id="evt_killed",
        event="task.succeeded",
        at=now,
        observed=msgspec.json.encode(observed).decode(),
        told_by="poll",
    )


def _row(recipe: Recipe, now: float) -> DeliveryRow:
    step = recipe.steps["go"]
    return DeliveryRow(
        id=DELIVERY,
        task_id=TASK,
        revision=1,
        event_id="evt_killed",
        recipe=recipe.name,
        recipe_hash=recipe.hash,
        step="go",
        use=step.use,
        connection=step.connection,
        state="due",
        created_at=now,
        updated_at=now,
        due_at=now,
    )
