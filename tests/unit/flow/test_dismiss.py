"""What was put aside, and what would come after it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from relay.flow.dismiss import dismiss
from relay.flow.replay import Replayer
from relay.journal import DeliveryFilter, Settlement, SqliteJournal
from relay.recipe import RecipeSet, Renderer, parse
from tests.unit.journal.test_sqlite import delivery
from tests.virtual import VirtualClock

from .test_observe import Door
from .test_restored import video

pytestmark = pytest.mark.anyio
LATER = "name: Later\non: task.succeeded\nsteps:\n  tell: { use: http }\n"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A finish whose files could not be stored, and nobody wants any more."""
    door = Door(tmp_path)
    await door.accepted()
    await door.tell("succeeded", **video(door.clock.now()))
    (archive,) = await door.journal.deliveries.claim(door.clock.now(), lambda: 10, 60.0)
    over = replace(archive.delivery, state="dead", due_at=None, error="expired", updated_at=door.clock.now())
    await door.journal.deliveries.settle(Settlement(delivery=over))
    await dismiss(door.journal, door.clock, DeliveryFilter(recipe="archive"), reason="not needed", by="Ada", run=True)
    yield door
    await door.journal.close()


async def test_all_that_waits_for_the_files_goes_with_their_archive(door: Door) -> None:
    assert {row.state for row in await door.journal.deliveries.of_task("task_ours")} == {"dismissed"}
    assert (await door.journal.pulse()).pending_deliveries == 0


async def test_nothing_more_is_planned_behind_a_dismissed_archive(door: Door) -> None:
    """It would wait for ever, and nobody would be told."""
    recipes = RecipeSet([parse(LATER, "later.yaml")])
    replayer = Replayer(door.journal, door.clock, lambda: recipes, Renderer(), lambda: None)
    effects = await replayer.backfill("Later", 0.0, door.clock.now(), run=True)
    why = "the archive of its files was dismissed: replay that one first"
    assert (effects.count, effects.skipped) == (0, {why: 1})
    await replayer.replay(DeliveryFilter(recipe="archive", states=["dismissed"]), "same", run=True)
    assert (await replayer.backfill("Later", 0.0, door.clock.now(), run=True)).count == 1


async def test_many_go_a_page_at_a_time_and_each_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.flow.dismiss.PAGE", 2)
    journal = SqliteJournal.open(tmp_path / "journal.db")
    rows = [replace(delivery(f"dlv_{number}", due_at=None), state="dead") for number in range(5)]
    last = delivery("dlv_behind", waits_for=[row.id for row in rows])
    await journal.deliveries.add([*rows, last], [])
    told = await dismiss(journal, VirtualClock(), DeliveryFilter(recipe="r"), reason="all", by="Ada", run=False)
    assert (told.count, told.behind, told.by_connector) == (6, 1, {"http": 6})
    assert await dismiss(journal, VirtualClock(), DeliveryFilter(recipe="r"), reason="all", by="Ada", run=True)
    assert {row.state for row in await journal.deliveries.of_task("task_1")} == {"dismissed"}
    assert len(await journal.tasks.history("task_1")) == 6
    await journal.close()
