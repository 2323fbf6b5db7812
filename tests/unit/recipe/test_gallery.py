"""Every shipped recipe, run: planned, rendered and delivered by the real connectors to a real receiver."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import discover
from relay.clock import SystemClock
from relay.contract import Task, decode
from relay.flow.approvals import Approvals
from relay.flow.archive import MediaStore
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.observe import Observer, Pace
from relay.flow.occasions import Batch, Herald
from relay.flow.plan import Labels
from relay.journal import DeliveryRow, Entry, MediaRow, Operation, Settlement, SqliteJournal, TaskRow
from relay.net import Egress, guarded_client
from relay.providers import Told
from relay.recipe import RecipeSet, Renderer, parse
from relay.recipe.reach import sample
from relay.settings import Settings
from relay.vault import Vault, new_key
from tests.destinations import Destinations, destinations

pytestmark = pytest.mark.anyio

GALLERY = sorted(Path("recipes/gallery").glob("*.yaml"))
VIDEO = b"not really a video"
HAPPENS = {"delivery.dead": "task.failed", "task.updated": "task.succeeded", "progress": "task.updated"}
"""What becomes of the task, where the event's own name does not say it."""
BROKEN = """\
name: Broken
on: task.failed
steps: { one: { use: folder, connection: videos, with: { path: "../outside" } } }
"""


class Stage:
    """A line with one recipe of the gallery, the shipped connectors and somewhere to deliver to."""

    def __init__(self, folder: Path, recipe: Path, there: Destinations) -> None:
        self.folder, self.clock = folder, SystemClock()
        self.journal = SqliteJournal.open(folder / "journal.db")
        read = [parse(recipe.read_text(encoding="utf-8"), str(recipe)), parse(BROKEN, "broken.yaml")]
        self.recipes = RecipeSet(read)
        self.recipe = read[0]
        self.client = guarded_client(Egress(["127.0.0.0/8", "localhost"]))
        renderer, store, vault = Renderer(), MediaStore(folder / "media"), Vault([new_key()])
        (folder / "media").mkdir()
        self.connectors = discover()[0]
        self.approvals = Approvals(self.journal, self.clock, vault, "https://relay.example.com")
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
            Connections(self.journal, self.clock, vault, self.connectors, there.connections, self.client),
            self.approvals,
        )

    async def play(self, event: str) -> None:
        """Let ``event`` happen, and do all that it causes. Events of a task may follow each other."""
        await self.approvals.start()
        for recipe in self.recipes:
            await self.journal.deliveries.keep_recipe(recipe.hash, recipe.name, recipe.file, recipe.source)
        if event == "batch.completed":
            await self.herald.batch_completed(Batch("bat_1", "June", 198, 2, 14850))
        elif event == "schedule":
            await self.herald.announce("schedule", "x/1", self.clock.now(), {}, self.recipes, Labels())
        else:
            await self._tell(HAPPENS.get(event, event))
        for _ in range(6):
            await self.deliverer.step()
            await self.deliverer.drain()

    async def _tell(self, event: str) -> None:
        known = await self.journal.tasks.get("task_1") or await self._asked_for()
        task: Any = sample(event)["task"]
        raw = json.dumps({**task, "id": "p1"})
        await self.observer.observe(known, Told(decode(raw, Task), raw), "poll")
        if task["output"]:
            await self._archive()

    async def _asked_for(self) -> TaskRow:
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
        return row

    async def _archive(self) -> None:
        (self.folder / "media" / "video.mp4").write_bytes(VIDEO)
        task = await self.journal.tasks.get("task_1")
        assert task is not None
        await self.journal.deliveries.add_media(
            MediaRow(
                id="med_1",
                task_id="task_1",
                revision=task.revision,
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
        for briefing in await self.journal.deliveries.claim(self.clock.now(), lambda: 10, 40):
            archive = briefing.delivery
            archive.state, archive.due_at = ("done", None) if archive.use == "archive" else ("due", self.clock.now())
            await self.journal.deliveries.settle(Settlement(delivery=archive))

    async def rows(self) -> list[DeliveryRow]:
        """What became of the deliveries of the recipe."""
        return [row for row in await self.journal.deliveries.of_task("task_1") if row.recipe == self.recipe.name]


CASES = [(path, event) for path in GALLERY for event in parse(path.read_text(encoding="utf-8"), str(path)).on]


async def played(path: Path, event: str, there: Destinations, folder: Path) -> list[DeliveryRow]:
    """Let ``event`` happen to the recipe at ``path``; what became of its deliveries."""
    await there.make_bucket()
    stage = Stage(folder, path, there)
    if path.stem == "only-releases":  # tasks carry tags once they come with some: match is tested beside the planner
        stage.recipe.match.tags.clear()
    await stage.play(event)
    rows = await stage.rows()
    await stage.client.aclose()
    await stage.journal.close()
    return rows


def uses(path: Path) -> list[str]:
    return [step.use for step in parse(path.read_text(encoding="utf-8"), str(path)).steps.values()]


@pytest.mark.parametrize(("path", "event"), CASES, ids=[f"{path.stem}-{event}" for path, event in CASES])
async def test_a_shipped_recipe_does_what_it_says(path: Path, event: str, tmp_path: Path) -> None:
    with destinations(tmp_path, uses(path)) as there:
        rows = await played(path, event, there, tmp_path)
        assert {row.state for row in rows} <= {"done"}, [row.error for row in rows]
        for use in set(uses(path)):
            arrived = await there.arrived(use)
            assert len(arrived) == uses(path).count(use), "each step has delivered once"
            if use in ("folder", "s3", "google_drive"):
                assert set(arrived) == {VIDEO}


async def outcome(name: str, event: str, folder: Path, look: Callable[[Destinations], Any]) -> Any:
    path = Path("recipes/gallery") / f"{name}.yaml"
    with destinations(folder, uses(path)) as there:
        await played(path, event, there, folder)
        found = look(there)
        return await found if isinstance(found, Awaitable) else found


MONTH = "2026/07"
SAID = [
    ("slack-one-message", "task.updated", ":clapper: *A &lt;B&gt; &amp; C/D* is ready: http://127.0.0.1:8787/media/"),
    ("slack-video", "task.succeeded", ":clapper: *A &lt;B&gt; &amp; C/D* is ready"),
    (
        "slack-failure",
        "task.failed",
        ":x: *A &lt;B&gt; &amp; C/D* has failed with `processing_failed`: No usable video",
    ),
    ("slack-failure", "task.failed", "(75 credits were refunded)"),
    ("slack-batch-digest", "batch.completed", "June: 198 done, 2 failed"),
    ("s3-then-slack", "task.succeeded", "*A &lt;B&gt; &amp; C/D* (18 bytes): http://127.0.0.1:"),
]


@pytest.mark.parametrize(("name", "event", "says"), SAID, ids=[f"{name}-{says[:20]}" for name, _, says in SAID])
async def test_what_slack_is_told(name: str, event: str, says: str, tmp_path: Path) -> None:
    (message,) = await outcome(name, event, tmp_path, lambda there: there.slack.messages)
    assert says in message["text"]


async def test_one_message_is_changed_from_queued_to_done(tmp_path: Path) -> None:
    path = Path("recipes/gallery/slack-one-message.yaml")
    with destinations(tmp_path, uses(path)) as there:
        stage, said = Stage(tmp_path, path, there), list[str]()
        for event in ("progress", "task.requires_action", "task.succeeded"):
            await stage.play(event)
            said.append(there.slack.messages[0]["text"])
        await stage.client.aclose()
        await stage.journal.close()
        assert len(there.slack.messages) == 1
    title = "*A &lt;B&gt; &amp; C/D*"
    assert said[:2] == [f":hourglass: {title}: compositing", f":hand: {title} waits for somebody "]
    assert said[2].startswith(f":clapper: {title} is ready: http://127.0.0.1:8787/media/med_1/")


async def test_the_video_plays_in_slack(tmp_path: Path) -> None:
    (file,) = await outcome("slack-video", "task.succeeded", tmp_path, lambda there: there.slack.files.values())
    assert (file.content, file.shared) == (VIDEO, [("C0RELEASES", None)])


async def test_where_files_go(tmp_path: Path) -> None:
    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        return made

    keys = await outcome("s3-archive", "task.succeeded", folder("1"), lambda there: there.keys())
    assert keys == [f"videos/{MONTH}/a-b-c-d.mp4"]
    drive = await outcome("google-drive", "task.succeeded", folder("2"), lambda there: there.drive)
    assert [video["name"] for video in drive.videos] == ["A _B_ & C_D.mp4"]
    assert drive.folders == ["Videos", MONTH.replace("/", "-")]
    saved = await outcome(
        "folder-by-artist", "task.succeeded", folder("3"), lambda there: list(there.folder.rglob("*.mp4"))
    )
    assert [file.relative_to(tmp_path / "3" / "videos") for file in saved] == [
        Path("Neon Tide/2026-07-16 A _B_ & C_D.mp4")
    ]


async def test_what_stands_in_the_sheet(tmp_path: Path) -> None:
    headings, row = await outcome("google-sheet-row", "task.failed", tmp_path, lambda there: there.sheets.rows)
    written = dict(zip(headings, row, strict=True))
    known = {name: written[name] for name in ("Task", "Title", "Status", "Video", "Credits", "Error")}
    assert known == {
        "Task": "task_1",
        "Title": "A <B> & C/D",
        "Status": "failed",
        "Video": "",
        "Credits": 0,
        "Error": "processing_failed",
    }


async def test_the_mail_has_the_video(tmp_path: Path) -> None:
    (mail,) = await outcome("email", "task.succeeded", tmp_path, lambda there: there.mailbox.mails)
    assert (mail["to"], mail["subject"]) == ("studio@example.com", "A <B> & C/D is ready")
    assert "<b>A &lt;B&gt; &amp; C/D</b>" in mail.get_body(("html",)).get_content()
    assert [part.get_content() for part in mail.iter_attachments()] == [VIDEO]


def test_there_are_enough_and_each_says_what_it_is_for() -> None:
    assert len(GALLERY) >= 12
    for path in GALLERY:
        text = path.read_text(encoding="utf-8")
        assert text.splitlines()[1].startswith("# "), f"{path} begins with a comment for a beginner"
        assert parse(text, str(path)).description.endswith("."), f"{path} describes itself in one sentence"
