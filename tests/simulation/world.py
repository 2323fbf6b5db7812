"""A whole line in virtual time: a provider that misbehaves from a seed, a relay that is killed from it, and a count of
everything that happened outside."""

import asyncio
import json
import random
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import httpx
from sqlite_utils import Database

from connectors.base import Connector, ConnectorConfig, Delivery, Outcome, Retry
from relay.contract import OPEN, Task, decode
from relay.contract.pricing import RateTable
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.estimate import Prices
from relay.flow.govern import Governor
from relay.flow.inbox import Inbox
from relay.flow.intake import Intake
from relay.flow.observe import Observer, Pace
from relay.flow.poll import Budget, Poller
from relay.flow.settle import Settler
from relay.journal import MediaRow, SqliteJournal
from relay.journal.migrations import migrations
from relay.journal.sqlite import hand_back
from relay.providers import Busy, CreateAnswer, FetchAnswer, Forged, Genuine, Hint, Passed, Standing, Told, Unclear
from relay.recipe import RecipeSet, Renderer, parse
from relay.settings import Settings
from relay.vault import Vault, new_key
from tests.virtual import VirtualClock

COST = 50
"""What a video costs: the least that the rate table makes of an empty request."""
RECIPE = """\
name: Tell
on: [task.succeeded, task.failed]
steps:
  first:
    use: probe
    with: { what: "{{ task.id }} {{ event.revision }} first" }
  second:
    use: probe
    after: first
    with: { what: "{{ task.id }} {{ event.revision }} second {{ steps.first.url }}" }
"""


class InlineJournal(SqliteJournal):
    """The real journal without its threads, in memory: every run from a seed is the same. What is written stays when
    the relay dies, as it would on a disk."""

    def __init__(self, connection: sqlite3.Connection, alive: Callable[[], bool]) -> None:
        super().__init__(Path("memory"), None, None)
        self._connection = connection
        self._alive = alive

    async def write(self, change: Callable[[sqlite3.Connection], Any], *, lasting: bool = True) -> Any:
        return (await self._all(lambda connection, _: [change(connection)], [None]))[0]

    async def write_to(self, many: Callable[[sqlite3.Connection, list[Any]], list[Any]], item: Any) -> Any:
        return (await self._all(many, [item]))[0]

    async def read(self, query: Callable[[sqlite3.Connection], Any]) -> Any:
        await asyncio.sleep(0)
        self._gone()
        return query(self._connection)

    async def _all(self, many: Callable[[sqlite3.Connection, list[Any]], list[Any]], items: list[Any]) -> list[Any]:
        await asyncio.sleep(0)
        self._gone()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            results = many(self._connection, items)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        await asyncio.sleep(0)
        return results

    def _gone(self) -> None:
        if not self._alive():
            raise asyncio.CancelledError  # a dead process writes nothing more


@dataclass
class Theirs:
    """A task at the provider."""

    id: str
    created_at: float
    ends: list[tuple[float, str, str]]
    """When it shows which status, with which file."""
    told: int = 0
    status: str = "queued"
    file: str = ""
    at: float = 0.0

    def raw(self) -> str:
        document: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "workflow": "music-video",
            "created_at": int(self.created_at),
            "updated_at": int(self.at),
            "output": None,
            "completed_at": None,
        }
        if self.status in ("succeeded", "failed"):
            document["completed_at"] = int(self.at)
        if self.status == "succeeded":
            document["output"] = {"media": [{"type": "video", "url": self.file, "mime_type": "video/mp4"}]}
        return json.dumps(document)


@dataclass
class Outside:
    """What is there whether the relay lives or not: the provider's truth, and what receivers have seen."""

    chance: random.Random
    clock: VirtualClock
    honours_keys: bool
    limit: int = 100
    """Tasks that may run at once."""
    balance: int = 10**6
    calm: bool = False
    peak: int = 0
    refused: int = 0
    """Creates refused for want of a slot."""
    tasks: dict[str, Theirs] = field(default_factory=dict[str, Theirs])
    by_key: dict[str, str] = field(default_factory=dict[str, str])
    creates: list[str] = field(default_factory=list[str])
    polls: deque[float] = field(default_factory=deque[float])
    most_polls: int = 0
    effects: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """What was said to receivers, and under which delivery ids."""
    webhooks: list[tuple[float, str, str]] = field(default_factory=list[tuple[float, str, str]])
    """When which webhook (event id, body) arrives."""

    def trouble(self, share: float) -> bool:
        return not self.calm and self.chance.random() < share

    @property
    def active(self) -> int:
        return sum(task.status in OPEN for task in self.tasks.values())

    def standing(self) -> Standing:
        settled = Decimal(COST * len(self.tasks))
        return Standing(Decimal(self.balance), "credits", self.limit, self.active, len(self.tasks), settled, Decimal(0))

    def advance(self) -> None:
        """Let every task show what it should by now, and send its webhooks, badly."""
        now = self.clock.now()
        for task in self.tasks.values():
            while task.ends and task.ends[0][0] <= now:
                task.at, task.status, task.file = task.ends.pop(0)
                if task.status in ("succeeded", "failed") and not self.trouble(0.3):
                    for _ in range(2 if self.trouble(0.2) else 1):
                        late = self.chance.choice((0.0, 0.0, 3.0, 70.0, 400.0))
                        body = json.dumps(
                            {
                                "id": f"evt_{task.id}_{task.told}",
                                "event": f"task.{task.status}",
                                "data": json.loads(task.raw()),
                            }
                        )
                        self.webhooks.append((now + late, f"{now}", body))
                    task.told += 1


class Provider:
    """The relay's side of it: one object a life, all state is outside."""

    name = "simulated"
    webhooks: Literal["news", "hint", "none"] = "hint"
    polls_per_minute = 120

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def idempotent_create(self) -> bool:
        return self._outside.honours_keys

    async def create(self, workflow: str, body: str, key: str) -> CreateAnswer:
        outside = self._outside
        await outside.clock.sleep(outside.chance.uniform(0.05, 1.5))
        if outside.trouble(0.15):
            return Busy("no slot", "user_concurrency_exceeded", outside.chance.choice((None, 5.0)), "slot")
        if outside.honours_keys and key in outside.by_key:
            task = outside.tasks[outside.by_key[key]]
        elif outside.active >= outside.limit:
            outside.refused += 1
            return Busy("no slot", "user_concurrency_exceeded", 30.0, "slot")
        elif outside.balance < COST:
            return Busy("no money", "insufficient_credits", None, "balance")
        else:
            task = self._accept(key)
        await outside.clock.sleep(outside.chance.uniform(0.0, 1.0))
        if outside.trouble(0.2):
            return Unclear("the answer was lost")
        return self._told(task)

    def _accept(self, key: str) -> Theirs:
        outside = self._outside
        number, now = len(outside.tasks), outside.clock.now()
        end = now + outside.chance.uniform(5, 120)
        status = "failed" if outside.chance.random() < 0.2 else "succeeded"
        ends = [(now + 2, "processing", ""), (end, status, f"https://x/{number}-1.mp4")]
        if status == "succeeded" and outside.chance.random() < 0.3:
            again = end + outside.chance.uniform(200, 3000)
            ends += [(again - 60, "composing", ""), (again, "succeeded", f"https://x/{number}-2.mp4")]
        task = Theirs(f"theirs_{number}", now, ends, at=now)
        outside.tasks[task.id] = task
        outside.by_key[key] = task.id
        outside.creates.append(key)
        outside.balance -= COST
        outside.peak = max(outside.peak, outside.active)
        return task

    async def operate(self, kind: str, provider_id: str, target: str, body: str, key: str) -> CreateAnswer:
        raise AssertionError("nobody edits here")

    async def shot_media(self, provider_id: str, target: str) -> Passed:
        raise AssertionError("nobody looks at shots here")

    async def standing(self) -> Standing | Unclear:
        outside = self._outside
        await outside.clock.sleep(outside.chance.uniform(0.05, 1.0))
        if outside.trouble(0.2):
            return Unclear("503")
        return outside.standing()

    async def usage(self) -> Passed:
        raise AssertionError("nobody asks for the usage here")

    async def workflows(self) -> Passed:
        raise AssertionError("nobody asks for workflows here")

    async def fetch(self, provider_id: str) -> FetchAnswer:
        outside = self._outside
        now = outside.clock.now()
        outside.polls.append(now)
        while outside.polls[0] <= now - 60:
            outside.polls.popleft()
        outside.most_polls = max(outside.most_polls, len(outside.polls))
        await outside.clock.sleep(outside.chance.uniform(0.05, 2.0))
        if outside.trouble(0.1):
            return Busy("too many", "rate_limit_exceeded", 10.0)
        if outside.trouble(0.2):
            return Unclear("503")
        task = outside.tasks[provider_id]
        return self._told(task)

    def verify(self, headers: dict[str, str], body: bytes, now: float) -> Genuine | Forged:
        return Genuine(now - float(headers["sent"]))

    def read_webhook(self, body: bytes) -> Hint:
        event = json.loads(body)
        return Hint(event["id"], event["event"], event["data"]["id"])

    def told_by_webhook(self, body: bytes) -> Told:
        raw = json.dumps(json.loads(body)["data"])
        return Told(decode(raw, Task), raw)

    def _told(self, task: Theirs) -> Told:
        raw = task.raw()
        return Told(decode(raw, Task), raw)


class ProbeConfig(ConnectorConfig):
    what: str = ""


class Probe(Connector):
    """A receiver that sometimes refuses, and sometimes takes it in but loses its answer."""

    name = "probe"
    Config = ProbeConfig

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def deliver(self, config: ProbeConfig, delivery: Delivery) -> Outcome:
        outside = self._outside
        await outside.clock.sleep(outside.chance.uniform(0.0, 30.0))
        if outside.trouble(0.2):
            raise Retry("it refused", after=outside.chance.choice((None, 60.0)))
        outside.effects.setdefault(config.what, set()).add(delivery.key)
        await outside.clock.sleep(outside.chance.uniform(0.0, 5.0))
        if outside.trouble(0.1):
            raise Retry("its answer was lost")
        return Outcome(url="there")


class NoConfig(ConnectorConfig):
    pass


class Archive(Connector):
    """Stores rows without files."""

    name = "archive"
    Config = NoConfig

    def __init__(self, outside: Outside, journal: SqliteJournal) -> None:
        self._outside = outside
        self._journal = journal

    async def deliver(self, config: NoConfig, delivery: Delivery) -> Outcome:
        await self._outside.clock.sleep(self._outside.chance.uniform(0.1, 60.0))
        if self._outside.trouble(0.2):
            raise Retry("the link is dead")
        task, revision = delivery.event["task"], delivery.event["revision"]
        row = MediaRow(
            id=f"med_{task['id']}_{revision}",
            task_id=task["id"],
            revision=revision,
            position=0,
            source_url=task["output"]["media"][0]["url"],
            name="v.mp4",
            path="v.mp4",
            mime_type="video/mp4",
            size=1,
            sha256="0",
            stored_at=self._outside.clock.now(),
        )
        await self._journal.deliveries.add_media(row)
        return Outcome(detail={"media": []})


class Life:
    """One life of the relay: from its start to its SIGKILL."""

    def __init__(self, connection: sqlite3.Connection, outside: Outside) -> None:
        clock = outside.clock
        self.alive = True
        hand_back(connection, clock.now())
        self.journal = journal = InlineJournal(connection, lambda: self.alive)
        provider, renderer = Provider(outside), Renderer()
        recipes = RecipeSet([parse(RECIPE, "recipe.yaml")])
        self.observer = Observer(journal, clock, lambda: recipes, renderer, Pace(), self._news)
        self.governor = Governor(journal, clock, provider)
        prices = Prices(RateTable(), self.governor)
        self.intake = Intake(journal, clock, provider, self.observer, self.governor, prices, lease=40.0)
        budget = Budget(provider.polls_per_minute, clock)
        self.poller = Poller(journal, clock, provider, self.observer, Pace(), budget=budget, grace=120.0, lease=40.0)
        self.settler = Settler(journal, clock, provider, self.observer, timeout=20.0)
        connectors = {"probe": Probe(outside), "archive": Archive(outside, journal)}
        self.client = httpx.AsyncClient()
        vault = Vault([new_key()])
        self.deliverer = Deliverer(
            journal,
            clock,
            lambda: recipes,
            renderer,
            connectors,
            MediaStore(Path()),
            self.client,
            Settings(),
            vault,
            Connections(journal, clock, vault, connectors, {}, self.client),
        )
        self.inbox = Inbox(journal, clock, provider, self.poller.nudge, self.settler.nudge, lambda _: None)
        self._before = asyncio.all_tasks()
        loops = (self.intake, self.poller, self.settler, self.deliverer)
        self._working = [asyncio.create_task(loop.run()) for loop in loops]

    def _news(self) -> None:
        self.intake.nudge()
        self.poller.nudge()
        self.deliverer.nudge()

    async def kill(self) -> None:
        """Nothing more is written, and everything that was under way is gone."""
        self.alive = False
        mine = asyncio.all_tasks() - self._before - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        await self.client.aclose()


def new_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrations.apply(Database(connection))
    return connection
