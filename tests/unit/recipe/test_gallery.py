"""Every shipped recipe, run: planned, rendered and delivered by the real connectors to a real receiver."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import discover
from relay.clock import SystemClock
from relay.contract import Task, decode
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.observe import Observer, Pace
from relay.flow.occasions import Batch, Herald
from relay.flow.plan import Labels
from relay.journal import DeliveryRow, Entry, MediaRow, Operation, Settlement, SqliteJournal, TaskRow
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer, parse
from relay.recipe.reach import sample
from relay.settings import Settings
from relay.vault import Vault, new_key
from tests.servers import running

pytestmark = pytest.mark.anyio

GALLERY = sorted(Path("recipes/gallery").glob("*.yaml"))
RECEIVERS = ("zapier", "make", "n8n", "pipedream", "chat", "my-webhook")
VIDEO = b"not really a video"
BROKEN = """\
name: Broken
on: task.failed
steps: { one: { use: folder, connection: videos, with: { path: "../outside" } } }
"""


class Receiver:
    """Takes every POST and answers 200."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(json.loads(body))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class Stage:
    """A line with one recipe of the gallery, the shipped connectors and a receiver."""

    def __init__(self, folder: Path, recipe: Path, url: str) -> None:
        self.folder, self.clock = folder, SystemClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        read = [parse(recipe.read_text(encoding="utf-8"), str(recipe)), parse(BROKEN, "broken.yaml")]
        self.recipes = RecipeSet(read)
        self.recipe = read[0]
        self.client = httpx.AsyncClient()
        renderer, store, vault = Renderer(), MediaStore(folder / "media"), Vault([new_key()])
        (folder / "media").mkdir()
        (folder / "videos").mkdir()
        fixed = {name: {"url": f"{url}/{name}"} for name in RECEIVERS} | {"videos": {"root": str(folder / "videos")}}
        self.connectors = discover()[0]
        self.observer = Observer(self.journal, self.clock, lambda: self.recipes, renderer, Pace(), lambda: None)
        self.herald = Herald(self.journal, self.clock, lambda: self.recipes, renderer, lambda: None)
        self.deliverer = Deliverer(
            self.journal,
            self.clock,
            lambda: self.recipes,
            renderer,
            self.connectors,
            store,
            self.client,
            Settings(),
            vault,
            Connections(self.journal, self.clock, vault, self.connectors, fixed, self.client),
        )

    async def play(self, event: str) -> None:
        """Let ``event`` happen, and do all that it causes."""
        for recipe in self.recipes:
            await self.journal.deliveries.keep_recipe(recipe.hash, recipe.name, recipe.file, recipe.source)
        if event == "batch.completed":
            await self.herald.batch_completed(Batch("bat_1", "June", 198, 2, 14850))
        elif event == "schedule":
            await self.herald.announce("schedule", "x/1", self.clock.now(), {}, self.recipes, Labels())
        else:
            await self._tell({"delivery.dead": "task.failed", "task.updated": "task.succeeded"}.get(event, event))
        for _ in range(6):
            await self.deliverer.step()
            await self.deliverer.drain()

    async def _tell(self, event: str) -> None:
        now = self.clock.now()
        row = TaskRow(
            id="task_1",
            provider="beatapi",
            workflow="music-video",
            status="queued",
            request="{}",
            row=json.dumps({"artist": "Neon Tide", "title": "A <B> & C/D"}),
            created_at=now,
            updated_at=now,
        )
        operation = Operation(
            id="op_1", task_id="task_1", kind="create", state="queued", body="{}", created_at=now, due_at=None
        )
        await self.journal.tasks.create(row, operation, Entry(task_id="task_1", at=now, kind="task.accepted"))
        task: Any = sample(event)["task"]
        if event == "task.requires_action":
            task |= {"status": "requires_action", "output": None}
        raw = json.dumps({**task, "id": "p1"})
        await self.observer.observe(row, Told(decode(raw, Task), raw), "poll")
        await self._archive()

    async def _archive(self) -> None:
        (self.folder / "media" / "video.mp4").write_bytes(VIDEO)
        await self.journal.deliveries.add_media(
            MediaRow(
                id="med_1",
                task_id="task_1",
                revision=1,
                position=0,
                source_url="https://media.example.com/v.mp4",
                name="task_1.mp4",
                path="video.mp4",
                mime_type="video/mp4",
                size=len(VIDEO),
                sha256=hashlib.sha256(VIDEO).hexdigest(),
                stored_at=0,
            )
        )
        for archive in await self.journal.deliveries.claim(self.clock.now(), 10, 40):
            archive.state, archive.due_at = ("done", None) if archive.use == "archive" else ("due", self.clock.now())
            await self.journal.deliveries.settle(Settlement(delivery=archive))

    async def rows(self) -> list[DeliveryRow]:
        """What became of the deliveries of the recipe."""
        return [row for row in await self.journal.deliveries.of_task("task_1") if row.recipe == self.recipe.name]


CASES = [(path, event) for path in GALLERY for event in parse(path.read_text(encoding="utf-8"), str(path)).on]


@pytest.mark.parametrize(("path", "event"), CASES, ids=[f"{path.stem}-{event}" for path, event in CASES])
async def test_a_shipped_recipe_does_what_it_says(path: Path, event: str, tmp_path: Path) -> None:
    receiver = Receiver()
    with running(receiver) as url:
        stage = Stage(tmp_path, path, url)
        if (
            path.stem == "only-releases"
        ):  # tasks carry tags once they come with some: match is tested beside the planner
            stage.recipe.match.tags.clear()
        await stage.play(event)
        rows = await stage.rows()
        await stage.client.aclose()
        await stage.journal.close()
    told = [step for step in stage.recipe.steps.values() if step.use == "http"]
    assert {row.state for row in rows} <= {"done"}, [row.error for row in rows]
    assert len(receiver.bodies) == len(told), "each http step has told its receiver once"
    saved = [step for step in stage.recipe.steps.values() if step.use == "folder"]
    files = [file for file in (tmp_path / "videos").rglob("*") if file.is_file()]
    assert [file.read_bytes() for file in files] == [VIDEO] * len(saved)


def test_there_are_enough_and_each_says_what_it_is_for() -> None:
    assert len(GALLERY) >= 12
    for path in GALLERY:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), f"{path} begins with a comment for a beginner"
        assert parse(text, str(path)).description.endswith("."), f"{path} describes itself in one sentence"
