"""Kills a delivery between "the destination accepted it" and "we wrote it down", then lets a new life end it.

One delivery of one finish, with a real journal and media store on disk, the real deliverer and your connector. A life
passes *moments*: after each HTTP answer (``answered POST /path``), before and after each note (``note NAME``, ``noted
NAME``), and ``settle``, when the connector is done and nothing of it is on disk yet. The seed says at which one the
relay dies: half of the seeds at ``settle``, the others at one of the first moments. Then a second life starts on the
same folder and works until the delivery is done or dead. You count the effects at the destination::

    @pytest.mark.parametrize("seed", range(100))
    async def test_one_message_whatever_the_moment(tmp_path: Path, seed: int) -> None:
        fake = Fake()
        with running(fake.app) as url:
            case = Case("connectors.slack:Slack", {"channel": "#releases"}, {"url": url, "token": "xoxb-1"})
            death = await killed(tmp_path, case, seed)
        assert death.row.state == "done", death
        assert len(fake.messages) == 1, death

``killed(…)`` dies in-process (nothing more is written, no request leaves, all tasks are cancelled): some 30 ms each.
``killed(…, sigkill=True)`` runs the first life in a process of its own that is killed with SIGKILL at the same moment:
about 1 s each, for a few seeds.
"""

import asyncio
import functools
import hashlib
import importlib
import os
import random
import signal
import sqlite3
import sys
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
    """The moments that the first life passed (of a SIGKILLed one only the last is known)."""
    second: list[str]
    row: DeliveryRow


async def killed(folder: Path, case: Case, seed: int, *, sigkill: bool = False) -> Death:
    """Two lives of one delivery, with a death between them."""
    if sigkill:
        first = await _in_a_process(folder, case, seed)
        at = first[-1] if first else None
    else:
        life = Life(folder, case, _doom(seed))
        await life.live()
        first, at = life.passed, life.died_at
    second = Life(folder, case, lambda _name, _number: False, start=1)
    row = await second.live()
    assert row is not None
    return Death(seed, at, first, second.passed, row)


def _doom(seed: int) -> Callable[[str, int], bool]:
    chance = random.Random(seed)
    early = chance.randint(1, FIRST_MOMENTS) if chance.random() < 0.5 else None
    return lambda name, number: name == "settle" or number == early


class Life:
    """One life of a relay that has nothing to do but this delivery."""

    def __init__(
        self,
        folder: Path,
        case: Case,
        doomed: Callable[[str, int], bool],
        *,
        start: int = 0,
        die: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.passed: list[str] = []
        self.died_at: str | None = None
        self._doomed, self._die = doomed, die
        self._end = asyncio.Event()
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
        self._client._transport = _Watched(self._client._transport, self.moment)
        settle, put, write = self.journal.deliveries.settle, self.journal.notes.put, self.journal.write

        async def dying_settle(settlement: Settlement) -> bool:
            await self.moment("settle")
            return await settle(settlement)

        async def dying_put(scope: str, name: str, value: bytes, now: float) -> None:
            await self.moment(f"note {name}")
            await put(scope, name, value, now)
            await self.moment(f"noted {name}")

        async def dying_write(change: Callable[[Any], Any]) -> Any:
            self._gone()
            return await write(change)

        self.journal.deliveries.settle = dying_settle
        self.journal.notes.put = dying_put
        self.journal.write = dying_write

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

    async def moment(self, name: str) -> None:
        """Something happened; perhaps it was the last thing."""
        self._gone()
        self.passed.append(name)
        if self._doomed(name, len(self.passed)):
            self.died_at = name
            self._die(name)
            self._end.set()
            await asyncio.Event().wait()

    async def live(self) -> DeliveryRow | None:
        """Work until death, or until the delivery is over; gives its last row then."""
        before = asyncio.all_tasks()
        working = asyncio.create_task(self._work())
        ending = asyncio.create_task(self._end.wait())
        async with asyncio.timeout(LONGEST):
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        mine = asyncio.all_tasks() - before - {asyncio.current_task(), working}
        for task in {*mine, working} if self.died_at else {ending}:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await working
        await self._client.aclose()
        row = await self.journal.deliveries.get(DELIVERY)
        await self.journal.close()
        return row

    async def _work(self) -> None:
        if await self.journal.tasks.get(TASK) is None:
            await self._begin()
        while True:
            row = await self.journal.deliveries.get(DELIVERY)
            assert row is not None
            if row.state in ("done", "dead"):
                return
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

    def _gone(self) -> None:
        if self.died_at is not None:
            raise asyncio.CancelledError  # a dead process does nothing more


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

    def __init__(self, inner: httpx.AsyncBaseTransport, moment: Callable[[str], Any]) -> None:
        self._inner, self._moment = inner, moment

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        await self._moment(f"answered {request.method} {request.url.path}")
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


async def _in_a_process(folder: Path, case: Case, seed: int) -> list[str]:
    order = folder / "first-life.json"
    order.write_bytes(msgspec.json.encode({"folder": str(folder), "case": case, "seed": seed}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.kill_harness", str(order), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), LONGEST)
    assert process.returncode in (0, -signal.SIGKILL), f"the first life ended with {process.returncode}"
    return said.decode().splitlines()


def _main(order: Path) -> None:
    """A first life whose end is a real SIGKILL."""
    wanted = msgspec.json.decode(order.read_bytes())

    def die(name: str) -> None:
        print(name, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    async def live() -> None:
        case = msgspec.convert(wanted["case"], Case)
        await Life(Path(wanted["folder"]), case, _doom(wanted["seed"]), die=die).live()

    asyncio.run(live())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
