"""After a restore: what a forgotten life may have done already is held, and all else goes on as ever."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from relay.clock import minted_at, sortable
from relay.flow.batches import Batches
from relay.flow.dismiss import dismiss
from relay.flow.intake import Origin
from relay.flow.occasions import Batch
from relay.flow.settle import Settler
from relay.journal import BatchRow, DeliveryFilter, Receipt, Restored, SheetRow
from tests.watched import Desk as SheetDesk
from tests.watched import song

from .test_intake import Desk
from .test_observe import Door, told
from .test_occasions import BATCH, HOURLY, WEEK, Line, lines

__all__ = ["lines"]  # a fixture
pytestmark = pytest.mark.anyio
SAID = "restored from a copy taken at"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(tmp_path)
    await door.accepted()
    door.clock.advance(1000)
    door.journal.restored = Restored(door.clock.now(), door.clock.now() - 500)
    yield door
    await door.journal.close()


async def states(door: Door) -> dict[str, str]:
    return {row.step: row.state for row in await door.journal.deliveries.of_task("task_ours")}


def video(at: float) -> dict[str, Any]:
    output = {"media": [{"type": "video", "url": "https://x/v.mp4", "mime_type": "video/mp4"}]}
    return {"output": output, "completed_at": int(at), "updated_at": int(at) + 5000}


async def test_a_finish_from_before_is_archived_and_told_to_nobody(door: Door) -> None:
    await door.tell("succeeded", **video(door.clock.now() - 100))
    assert await states(door) == {"archive": "due", "first": "dead", "second": "waiting"}
    (first,) = [row for row in await door.journal.deliveries.of_task("task_ours") if row.step == "first"]
    assert SAID in (first.error or "")
    (leased,) = await door.journal.deliveries.claim(door.clock.now(), lambda: 10, 60.0)
    assert leased.delivery.step == "archive"


async def test_a_finish_from_after_is_told_as_ever(door: Door) -> None:
    await door.tell("succeeded", **video(door.clock.now() + 1))
    assert await states(door) == {"archive": "due", "first": "waiting", "second": "waiting"}


async def test_a_task_that_has_waited_for_a_person_since_before_is_not_told_again(door: Door) -> None:
    await door.tell("requires_action", updated_at=int(door.clock.now()) - 10)
    assert (await states(door))["first"] == "dead"


async def test_our_own_word_on_a_refusal_is_of_this_moment(door: Door) -> None:
    """A create that is refused now was not told before, however old its task is."""
    refused = told("failed", updated_at=1, completed_at=1)
    refused.task.id = ""
    await door.observer.observe(await door.known(), refused, "create")
    assert (await states(door))["first"] == "due"


async def test_rows_of_a_batch_from_before_become_unconfirmed_tasks(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    now = desk.clock.now()
    desk.journal.restored = Restored(now, now - 100)

    async def completed(*_: Any) -> None:
        raise AssertionError("nothing is completed here")

    batches = Batches(desk.journal, desk.clock, desk.intake, desk.governor, "https://relay.example", completed)
    for name, created_at in (("before", now - 1), ("after", now)):
        batch = {"client": "c", "name": name, "sheet": "", "digest": "", "state": "running", "columns": "{}"}
        row = {"number": 2, "identity": name, "version": "v", "workflow": "music-video", "request": '{"images": []}'}
        await desk.journal.batches.add(
            BatchRow(id=f"bat_{name}", created_at=created_at, **batch),  # type: ignore[arg-type]  (their own names)
            [SheetRow(batch_id=f"bat_{name}", facts="{}", state="new", **row)],  # type: ignore[arg-type]
        )
    await batches.step()
    await desk.turn()
    assert len(desk.provider.sent) == 1, "only what was asked for after the restore is sent"
    (held,) = await desk.journal.tasks.unconfirmed()
    task = await desk.task(held.task_id)
    assert (task.batch, SAID in (held.error or "")) == ("bat_before", True)
    assert [entry.kind for entry in await desk.journal.tasks.history(task.id)] == [
        "task.accepted",
        "operation.unconfirmed",
    ]
    await batches.step()
    assert len(await desk.journal.tasks.recent(10)) == 2, "one row, one task"
    await desk.journal.close()


async def test_what_has_no_time_is_not_looked_for_among_webhooks(tmp_path: Path) -> None:
    """Forgotten tasks call back in numbers; asking for each of them every minute would tell nothing."""
    desk = Desk(tmp_path)
    await desk.intake.accept("music-video", "{}", origin=Origin(doubt="who knows"))
    receipt = {"id": "rcv_1", "received_at": desk.clock.now(), "verdict": "accepted", "status": 200}
    await desk.journal.receipts.add(msgspec.convert({**receipt, "provider_task_id": "task_theirs"}, Receipt))
    settler = Settler(desk.journal, desk.clock, desk.provider, desk.observer, timeout=20.0)
    await settler.step()  # the provider of these tests fails when it is asked
    assert len(await settler.questions()) == 1
    await desk.journal.close()


async def test_a_doubt_about_a_row_that_is_known_changes_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first = await desk.intake.accept("music-video", "{}", origin=Origin(row=("song", "v")))
    again = await desk.intake.accept("music-video", "{}", origin=Origin(row=("song", "v"), doubt="who knows"))
    assert (again.id, await desk.journal.tasks.unconfirmed()) == (first.id, [])
    assert len(await desk.journal.tasks.history(first.id)) == 1
    await desk.journal.close()


def sheet_with_ids(*ids: str) -> SheetDesk:
    desk = SheetDesk()
    desk.rows[0].append("beatrelay_id")
    desk.rows += [[*song(number), row_id] for number, row_id in enumerate(ids, 1)]
    desk.journal.restored = Restored(desk.clock.now(), desk.clock.now() - 100)
    return desk


def held_songs(desk: SheetDesk) -> list[str]:
    sql = "SELECT tasks.request FROM operations JOIN tasks ON tasks.id = task_id WHERE state = 'unconfirmed'"
    return [json.loads(row[0])["audio_url"][-5:] for row in desk.database.execute(sql)]


async def test_a_row_whose_id_the_journal_has_forgotten_is_not_asked_for_anew() -> None:
    at = SheetDesk().clock.now()
    old, fresh = (sortable("row", int((at + seconds) * 1000), bytes(10)) for seconds in (-10, 10))
    desk = sheet_with_ids(old, fresh)
    await desk.turn()
    assert len(desk.tasks()) == 2
    assert held_songs(desk) == ["1.mp3"]
    assert desk.cell("Song 1", "Status") == "queued"
    await desk.turn()
    assert len(desk.tasks()) == 2


async def test_a_row_of_a_forgotten_task_is_left_alone_until_its_status_is_emptied() -> None:
    desk = SheetDesk()
    now = desk.clock.now()
    desk.rows[0] += ["Status", "Task ID", "beatrelay_id"]
    desk.rows.append([*song(1), "processing", "task_forgotten", sortable("row", int((now - 10) * 1000), bytes(10))])
    desk.journal.restored = Restored(now, now - 100)
    await desk.turn()
    assert (desk.tasks(), desk.cell("Song 1", "Status")) == ([], "processing")
    desk.put("Song 1", "Status", "")
    await desk.turn()
    assert held_songs(desk) == ["1.mp3"]
    assert len(desk.tasks()) == 1


async def test_a_row_that_was_being_taken_in_the_copy_is_not_asked_for_anew() -> None:
    desk = SheetDesk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.database.executescript(
        "DELETE FROM operations; DELETE FROM tasks; UPDATE watched_rows SET state = 'taking', task_id = NULL,"
        f" error = '{SAID} a day: it may have been sent since'"
    )
    desk.put("Song 1", "Status", "")
    desk.start()
    await desk.turn()
    assert held_songs(desk) == ["1.mp3"]
    (row,) = await desk.journal.watched.rows("songs")
    assert (row.state, row.error) == ("taken", "")


def test_an_id_tells_when_it_was_made() -> None:
    assert minted_at(sortable("row", 1_784_188_800_123, b"0123456789")) == 1_784_188_800.123
    for other in ("", "row_1", "mine", "row_" + "z" * 32, "row_" + "٣" * 32):
        assert minted_at(other) is None


async def test_an_hour_that_passed_before_is_not_told_by_itself(lines: Any) -> None:
    line: Line = await lines(HOURLY)
    await line.hours.step()
    line.clock.advance(WEEK)
    line.journal.restored = Restored(line.clock.now(), line.clock.now() - WEEK)
    await line.hours.step()
    assert await line.work_off() == []
    line.clock.advance(WEEK)
    await line.hours.step()
    assert await line.work_off() == ["Mon 09:00"]


async def test_a_batch_that_ended_before_is_not_told_by_itself(lines: Any) -> None:
    line: Line = await lines(BATCH)
    now = line.clock.now()
    line.journal.restored = Restored(now, now - 100)
    assert await line.herald.batch_completed(Batch("bat_1", "June", 198, 2, 14850), now - 1)
    assert await line.work_off() == []
    assert await line.herald.batch_completed(Batch("bat_2", "June", 1, 0, 75), now + 1)
    assert await line.work_off() == ["June: 1 done, 0 failed"]


async def test_what_is_held_can_be_put_aside_with_what_waits_behind_it(door: Door) -> None:
    await door.tell("succeeded", **video(door.clock.now() - 100))
    wanted = DeliveryFilter(error=SAID)
    told = await dismiss(door.journal, door.clock, wanted, reason="had arrived", by="Ada", run=True)
    assert (told.count, told.behind) == (2, 1)
    assert await states(door) == {"archive": "due", "first": "dismissed", "second": "dismissed"}
    pulse = await door.journal.pulse()
    assert (pulse.dead_deliveries, pulse.pending_deliveries) == (0, 1), "only our own store is still to be served"
