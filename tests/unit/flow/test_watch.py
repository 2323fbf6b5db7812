"""A watched sheet: rows become tasks once, results land in their rows, and what people write stays."""

from decimal import Decimal

import pytest

from relay.flow.watches import UnreadableSheet, wrong_sheets
from relay.flow.why import tell
from relay.settings import SheetSettings
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


async def test_a_row_that_cannot_be_asked_for_says_why_and_is_taken_once_it_is_mended() -> None:
    desk = Desk()
    desk.rows += [song(1, "round"), ["Song 2", "", "https://media.example.com/2.png", "1:1"]]
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "invalid"
    assert desk.cell("Song 1", "Error").startswith("Format (D2) is 'round': must be one of")
    assert "Audio (B3): is required" in desk.cell("Song 2", "Error")
    assert desk.tasks() == []
    desk.put("Song 1", "Format", "9:16")
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "queued"
    assert desk.cell("Song 1", "Error") == ""
    assert len(desk.tasks()) == 1


async def test_what_a_person_writes_over_a_result_stays_and_is_told() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    desk.put("Song 1", "Status", "on hold, says Ada")
    desk.put("Song 2", "Error", "ask Ben")
    for task in desk.tasks():
        desk.finish(task["id"])
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "on hold, says Ada"
    assert desk.cell("Song 1", "Video URL").endswith(".mp4")
    assert (desk.cell("Song 2", "Status"), desk.cell("Song 2", "Error")) == ("succeeded", "ask Ben")
    (view,) = await desk.watches.views()
    held = list(view.held.values())
    assert {"status": "on hold, says Ada"} in held
    assert {"error": "ask Ben"} in held


async def test_what_a_person_writes_over_a_result_is_told_once_in_its_tasks_history() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    (task,) = desk.tasks()
    desk.put("Song 1", "Status", "on hold, says Ada")
    for _ in range(3):
        await desk.turn()
    desk.finish(task["id"])
    await desk.turn()
    desk.put("Song 1", "Video URL", "https://elsewhere.example/1")  # after the end, too
    for _ in range(3):
        await desk.turn()
    story = await tell(desk.journal, task["id"])
    assert story is not None
    assert [moment.text for moment in story.moments if moment.kind == "sheet.held"] == [
        "a person wrote 'on hold, says Ada' over Status in the sheet songs; it is left alone",
        "a person wrote 'https://elsewhere.example/1' over Video URL in the sheet songs; it is left alone",
    ]
    (view,) = await desk.watches.views()
    assert list(view.held.values()) == [
        {"status": "on hold, says Ada", "video_url": "https://elsewhere.example/1"},
    ]


async def test_a_status_of_their_own_keeps_a_row_back_until_it_is_emptied() -> None:
    desk = Desk()
    desk.rows[0].append("Status")
    desk.rows.append([*song(1), "not yet"])
    await desk.turn()
    assert desk.tasks() == []
    desk.put("Song 1", "Status", "")
    await desk.turn()
    assert len(desk.tasks()) == 1


async def test_rows_may_be_sorted_inserted_and_deleted_between_two_readings() -> None:
    desk = Desk()
    desk.rows += [song(number) for number in range(1, 5)]
    await desk.turn()
    tasks = {task["id"] for task in desk.tasks()}
    desk.rows[1:] = [[], desk.rows[4], desk.rows[1], desk.rows[3], song(9)]
    for task in tasks:
        desk.finish(task)
    await desk.turn()
    for title in ("Song 1", "Song 3", "Song 4"):
        number = title[-1]
        task = next(task["id"] for task in desk.tasks() if f"/{number}.mp3" in task["request"])
        assert desk.cell(title, "Video URL") == f"https://cdn.example/{task}.mp4"
    assert desk.rows[1] == []
    assert len(desk.tasks()) == 5


async def test_a_row_that_was_copied_with_its_id_and_made_into_another_song_is_a_row_of_its_own() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    copied = list(desk.row("Song 1"))
    copied[:4], copied[4:10] = song(2), [""] * 6
    desk.rows.insert(1, copied)
    await desk.turn()
    first, second = desk.tasks()
    desk.finish(first["id"])
    desk.finish(second["id"])
    await desk.turn()
    assert first["id"] in desk.cell("Song 1", "Video URL")
    assert second["id"] in desk.cell("Song 2", "Video URL")
    assert desk.cell("Song 1", "beatrelay_id") != desk.cell("Song 2", "beatrelay_id")


async def test_a_copy_of_a_finished_row_follows_its_task_until_its_status_is_emptied() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    desk.rows.append(["Song 2", *desk.row("Song 1")[1:]])
    await desk.turn()
    assert desk.row("Song 2")[1:10] == desk.row("Song 1")[1:10]
    assert desk.cell("Song 1", "beatrelay_id") != desk.cell("Song 2", "beatrelay_id")
    desk.row("Song 2")[1:4] = song(2, "9:16")[1:]
    await desk.turn()
    assert (len(desk.tasks()), desk.cell("Song 2", "Status")) == (1, "succeeded")
    desk.put("Song 2", "Status", "")
    await desk.turn()
    first, second = desk.tasks()
    assert (desk.cell("Song 2", "Status"), desk.cell("Song 2", "Task ID")) == ("queued", second["id"])
    desk.finish(second["id"])
    await desk.turn()
    assert first["id"] in desk.cell("Song 1", "Video URL")
    assert second["id"] in desk.cell("Song 2", "Video URL")
    assert len(desk.tasks()) == 2


@pytest.mark.parametrize("names", ["beatrelay_id", "Title"])
async def test_a_copy_that_is_made_into_another_song_at_once_is_asked_for_at_once(names: str) -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    desk.rows.insert(1, [*song(2), "", *desk.row("Song 1")[5:]])
    desk.put("Song 2", names, "" if names == "beatrelay_id" else "Song 2")  # with its helper cell, and without
    await desk.turn()
    first, second = desk.tasks()
    assert (desk.cell("Song 1", "Task ID"), desk.cell("Song 2", "Task ID")) == (first["id"], second["id"])


async def test_a_copied_row_costs_nothing_though_its_status_is_emptied_while_it_says_the_same() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    desk.rows.append(["Song 2", *desk.row("Song 1")[1:]])
    desk.put("Song 2", "Status", "")
    for _ in range(3):
        await desk.turn()
    assert len(desk.tasks()) == 1
    assert desk.cell("Song 2", "Status") == "succeeded"


async def test_a_row_whose_id_was_taken_away_gets_it_back() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    (task,), row_id = desk.tasks(), desk.cell("Song 1", "beatrelay_id")
    desk.put("Song 1", "beatrelay_id", "")
    desk.finish(task["id"])
    await desk.turn()
    assert (desk.cell("Song 1", "beatrelay_id"), desk.cell("Song 1", "Status")) == (row_id, "succeeded")


async def test_the_same_song_twice_is_paid_once_and_shown_twice() -> None:
    desk = Desk()
    desk.rows += [song(1), ["Another title", *song(1)[1:]]]
    await desk.turn()
    (task,) = desk.tasks()
    desk.finish(task["id"])
    await desk.turn()
    assert desk.cell("Song 1", "Video URL") == desk.cell("Another title", "Video URL") != ""


async def test_an_emptied_status_comes_back_and_costs_nothing() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    desk.put("Song 1", "Status", "")
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "succeeded"
    desk.rows[0].remove("beatrelay_id")
    desk.rows[1:] = [song(1)]  # an old version of the whole sheet is brought back
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "succeeded"
    assert len(desk.tasks()) == 1


@pytest.mark.parametrize("fault", ["cut", "lost", 429, 500, 503])
@pytest.mark.parametrize("call", range(7))
async def test_one_task_a_row_whatever_goes_wrong_on_the_line(fault: str | int, call: int) -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    desk.line.faults.extend([*[None] * call, fault])
    for _ in range(3):
        await desk.turn(120)
        if call == 6:
            desk.start()  # and the relay is started anew each time
    assert [desk.cell(f"Song {number}", "Status") for number in (1, 2)] == ["queued", "queued"]
    assert len(desk.tasks()) == 2
    assert desk.watch.problem == ""


async def test_google_is_left_alone_for_as_long_as_it_says_and_then_longer_and_longer() -> None:
    desk = Desk()
    await desk.turn()
    waits: list[float] = []
    desk.line.faults.extend([429, *[503] * 9])
    for _ in range(10):
        await desk.turn()
        waits.append(desk.watch.due_at - desk.clock.now())
    assert 60 <= waits[0] < 62
    assert waits[1] < 4
    assert 64 <= waits[-1] <= 65
    assert "503" in desk.watch.problem


async def test_a_day_costs_no_more_than_was_allowed() -> None:
    desk = Desk(credits_per_day=Decimal(160), defaults={"duration": "15"})
    desk.rows += [song(number) for number in (1, 2, 3)]
    await desk.turn()
    assert [desk.cell(f"Song {number}", "Status") for number in (1, 2, 3)] == ["queued", "queued", "waiting"]
    assert "may spend 160 credits a day" in desk.cell("Song 3", "Error")
    desk.finish(desk.tasks()[0]["id"], credits="50")
    await desk.turn()
    assert desk.cell("Song 3", "Status") == "waiting"  # 50 of 75 were spent: not enough room yet
    await desk.turn(86400)
    assert (desk.cell("Song 3", "Status"), desk.cell("Song 3", "Error")) == ("queued", "")


async def test_a_row_that_costs_more_than_a_day_says_so() -> None:
    desk = Desk(credits_per_day=Decimal(100))
    desk.rows.append(song(1))
    await desk.turn()
    assert "it may cost 900 credits" in desk.cell("Song 1", "Error")
    assert desk.tasks() == []


async def test_a_row_is_taken_when_it_is_ready_and_no_longer_typed() -> None:
    desk = Desk(ready="Go", settle=10.0)
    desk.rows[0].append("Go")
    desk.rows.append([*song(1), False])
    await desk.turn()
    assert desk.tasks() == []
    desk.put("Song 1", "Go", True)
    await desk.turn()
    assert desk.watch.due_at == desk.clock.now() + 10
    desk.put("Song 1", "Format", "9:16")
    await desk.turn(10)
    assert desk.tasks() == []
    await desk.turn(10)
    assert len(desk.tasks()) == 1


async def test_a_table_may_stand_anywhere_and_the_tab_grows_for_results() -> None:
    desk = Desk(range="C3:Z")
    desk.rows[:] = [[], ["", "", "Songs of May"], ["", "", *desk.rows[0]], ["", "", *song(1, "round")]]
    desk.fake.width = 8
    await desk.turn()
    assert desk.fake.width == 13
    assert desk.rows[2][6:8] == ["Status", "Video URL"]
    assert "Format (F4)" in desk.rows[3][10]
    assert desk.rows[1] == ["", "", "Songs of May"]


async def test_what_does_not_fit_is_said() -> None:
    desk = Desk(range="A1:F")
    desk.rows.append(song(1))
    await desk.turn()
    assert "has no room for the columns Status" in desk.watch.problem
    desk = Desk(ready="Go")
    await desk.turn()
    assert "there is no column 'Go'" in desk.watch.problem
    desk = Desk(sheet="Nope")
    with pytest.raises(UnreadableSheet, match="no tab 'Nope'; it has 'Videos'"):
        await desk.watches.check("songs")


def test_settings_that_can_be_read_but_not_followed_are_told() -> None:
    sheet = SheetSettings(name="a", connection="g", cron="* *", columns={"X": "song"}, defaults={"colour": "red"})
    told = "\n".join(wrong_sheets({"a": sheet}))
    assert "[sheets.a] cron: a schedule has five fields" in told
    assert "'X' is 'song'; it must be one of audio_url" in told
    assert "'colour' is no field" in told
