"""A watched sheet: rows become tasks once, results land in their rows, and what people write stays."""

import pytest

from tests.watched import Desk, song

pytestmark = pytest.mark.anyio


async def test_a_row_becomes_a_task_and_its_cells_follow() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    assert desk.rows[0][4:] == ["Status", "Video URL", "Credits", "Task ID", "Error", "Finished at", "beatrelay_id"]
    first, second = desk.tasks()
    assert (desk.cell("Song 1", "Status"), desk.cell("Song 1", "Task ID")) == ("queued", first["id"])
    desk.database.execute("UPDATE tasks SET status = 'processing' WHERE id = ?", (first["id"],))
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "processing"
    desk.finish(first["id"])
    desk.finish(second["id"], "failed", "0", error_code="processing_failed", error_message="=cmd()")
    await desk.turn()
    done = desk.row("Song 1")[4:10]
    assert done == ["succeeded", f"https://cdn.example/{first['id']}.mp4", 50, first["id"], "", "2026-07-16T08:02:00Z"]
    assert desk.row("Song 2")[4:9] == ["failed", "", 0, second["id"], "processing_failed: =cmd()"]
    before = len(desk.fake.calls)
    for _ in range(5):
        await desk.turn()
    assert desk.fake.calls[before:] == ["spreadsheets.values.get"] * 5
    assert len(desk.tasks()) == 2
    assert desk.watch.problem == ""
