"""Fan-out: deliveries claimed, posted by the ``http`` connector, acknowledged and recorded, all durable; beside it, in
the same run and to the same server, a bare loop of httpx at its best concurrency, and one of pyreqwest if it is there.

The yardsticks only post a body. The relay's line also reads the task, renders the recipe, signs, keeps the lease,
writes the history and commits; "relay without the post" takes the connector out and shows what that costs.
"""

import asyncio
import importlib
import json
import multiprocessing
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, cast

import httptools
import httpx
import uvloop

from connectors.base import Connector, Delivery, Outcome
from connectors.http import Http
from relay.clock import SystemClock
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.journal import Change, DeliveryRow, Entry, Finish, Operation, Settlement, SqliteJournal, TaskRow
from relay.journal.sqlite_deliveries import SqliteDeliveries
from relay.net import Egress, guarded_client
from relay.recipe import RecipeSet, Renderer, parse
from relay.serve import settle_memory
from relay.settings import Settings
from relay.vault import Vault, new_key

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LANES = 4
RECIPE = """\
name: Fan out
on: task.succeeded
steps:
  post:
    use: http
    connection: c0
    with: { body: { id: "{{ event.id }}", title: "{{ row.title }}", task: "{{ task.id }}" } }
"""


class _Settled(SqliteDeliveries):
    """Tells when as many deliveries are settled, and durably so, as there are."""

    def __init__(self, journal: SqliteJournal, number: int) -> None:
        super().__init__(journal)
        self._left = number
        self.all = asyncio.Event()

    async def settle(self, settlement: Settlement) -> bool:
        held = await super().settle(settlement)
        self._left -= held
        if self._left == 0:
            self.all.set()
        return held


class Nothing(Connector):
    """Takes everything in at once: what remains is the relay's own work."""

    name: ClassVar[str] = "http"
    Config = Http.Config

    async def deliver(self, config: Any, delivery: Delivery) -> Outcome:
        return Outcome()


def run(*, quick: bool) -> None:
    number, rounds = (200, 1) if quick else (2_000, 7)
    receiving = multiprocessing.get_context("spawn")
    parent, child = receiving.Pipe()
    server = receiving.Process(target=_receive, args=(child,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{parent.recv()}/caught"
    settle_memory()
    try:
        measured = uvloop.run(_measure(url, number, rounds, parent))
    finally:
        server.terminate()
        server.join()
    print(f"\nfan-out: {number} signed posts to {LANES} lanes, durable, medians of {rounds}, all of them on uvloop")
    for name, (rate, share) in measured.items():
        print(f"  {name:34} {rate:8.0f}/s   {1e6 / rate:6.0f} us each   receiver busy {share:4.0%}")
    rates = {name: rate for name, (rate, _) in measured.items()}
    against = rates["relay"] / rates["bare httpx, 10 at once"]
    print(f"  against httpx                      {against:6.2f}   (aim: at least 3)")
    bare = rates.get("bare pyreqwest, 10 at once")
    print(
        f"  share of pyreqwest                 {rates['relay'] / bare:6.2f}"
        if bare
        else "  pyreqwest is not installed; `pip install pyreqwest` adds its share"
    )


async def _measure(
    url: str, number: int, rounds: int, receiver: "Connection[str, Any]"
) -> dict[str, tuple[float, float]]:
    """Of each contestant the posts a second, and the share of a processor that the receiver was busy with them."""
    body = json.dumps({"id": "evt_1", "title": "Neon rooftop", "task": "task_1"}).encode()
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for name, one in _contestants(url, body).items():
            before = _busy(receiver)
            seconds = await one(number)
            found.setdefault(name, []).append((number / seconds, (_busy(receiver) - before) / seconds))
    return {name: (median(rate for rate, _ in each), median(busy for _, busy in each)) for name, each in found.items()}


def _busy(receiver: "Connection[str, Any]") -> float:
    receiver.send("how busy?")
    return receiver.recv()


def _contestants(url: str, body: bytes) -> dict[str, Callable[[int], Awaitable[float]]]:
    all_of_them: dict[str, Callable[[int], Awaitable[float]]] = {
        "bare httpx, 10 at once": lambda number: _httpx(url, body, number),
        "relay": lambda number: _relay(url, number, Http()),
        "relay without the post": lambda number: _relay(url, number, Nothing()),
    }
    try:
        client = importlib.import_module("pyreqwest.client")
    except ImportError:
        return all_of_them
    return {**all_of_them, "bare pyreqwest, 10 at once": lambda number: _pyreqwest(client, url, body, number)}


async def _httpx(url: str, body: bytes, number: int) -> float:
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=10)) as client:

        async def post() -> None:
            await client.post(url, content=body, headers={"content-type": "application/json"})

        return await _loop(post, number)


async def _pyreqwest(module: Any, url: str, body: bytes, number: int) -> float:
    async with module.ClientBuilder().build() as client:

        async def post() -> None:
            request = client.post(url).body_bytes(body).header("content-type", "application/json").build()
            await (await request.send()).bytes()

        return await _loop(post, number)


async def _loop(post: Callable[[], Awaitable[None]], number: int, at_once: int = 10) -> float:
    left = iter(range(number))

    async def worker() -> None:
        for _ in left:
            await post()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return time.perf_counter() - started


async def _relay(url: str, number: int, connector: Connector) -> float:
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        journal, clock = SqliteJournal.open(Path(folder) / "journal.db"), SystemClock()
        journal.deliveries = settled = _Settled(journal, number)
        connections = {f"c{lane}": {"url": url, "secret": SECRET} for lane in range(LANES)}
        settings = Settings(data=Path(folder), connections=connections)
        recipes = RecipeSet([parse(RECIPE, "fanout.yaml")])
        client = guarded_client(Egress(["127.0.0.0/8"]))
        vault = Vault([new_key()])
        known = Connections(journal, clock, vault, {"http": connector}, connections, client)
        deliverer = Deliverer(
            journal,
            clock,
            lambda: recipes,
            Renderer(),
            {"http": connector},
            MediaStore(Path(folder)),
            client,
            settings,
            vault,
            known,
        )
        await _fill(journal, next(iter(recipes)).hash, number)
        started = time.perf_counter()
        working = asyncio.create_task(deliverer.run())
        await settled.all.wait()
        seconds = time.perf_counter() - started
        await deliverer.stop()
        await working
        await client.aclose()
        left = await journal.pulse()
        assert (left.pending_deliveries, left.dead_deliveries) == (0, 0)
        await journal.close()
        return seconds


async def _fill(journal: SqliteJournal, hash: str, number: int) -> None:
    await asyncio.gather(*(_task(journal, hash, one) for one in range(number)))


async def _task(journal: SqliteJournal, hash: str, number: int) -> None:
    now, task_id = 1_800_000_000.0, f"task_{number:08}"
    task = TaskRow(
        id=task_id,
        provider="beatapi",
        workflow="music-video",
        status="succeeded",
        request="{}",
        created_at=now,
        updated_at=now,
        row='{"title": "Neon rooftop"}',
    )
    operation = Operation(
        id=f"op_{number}", task_id=task_id, kind="create", state="accepted", body="{}", created_at=now, due_at=None
    )
    observed = json.dumps(
        {"id": task_id, "status": "succeeded", "workflow": "music-video", "created_at": 1, "updated_at": 1}
    )
    finish = Finish(
        task_id=task_id,
        revision=1,
        event_id=f"evt_{number}",
        event="task.succeeded",
        at=now,
        observed=observed,
        told_by="poll",
    )
    lane = f"c{number % LANES}"
    row = DeliveryRow(
        id=f"dlv_{number:08}",
        task_id=task_id,
        revision=1,
        event_id=finish.event_id,
        recipe="Fan out",
        recipe_hash=hash,
        step="post",
        use="http",
        connection=lane,
        state="due",
        created_at=1.0,
        updated_at=1.0,
        due_at=1.0,
    )
    await journal.tasks.create(task, operation, Entry(task_id=task_id, at=now, kind="task.accepted"))
    await journal.tasks.apply(Change(task=task, finish=finish, deliveries=[row]))


class _Receiver(asyncio.Protocol):
    """Answers every request with 204, at as little cost as can be: it shares the machine with what is measured."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _receive(pipe: "Connection[Any, str]") -> None:
    """Serve until the other side says anything; then tell the seconds of processor that it took."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while True:
            await asyncio.to_thread(pipe.recv)
            pipe.send(time.process_time())

    uvloop.run(serve())
