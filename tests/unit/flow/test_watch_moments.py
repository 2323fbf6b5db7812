"""What people do between our reading and our writing, one case at a time; the storm in ``test_watch_meddling`` found
them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.watched import Desk, song

pytestmark = pytest.mark.anyio

Step = Callable[[], None]


def _nothing() -> None: ...


def _first_turn(desk: Desk, *, writing: Step = _nothing, reading: Step = _nothing) -> None:
    """Before the first results are written, and before they are read again (after: open, read, name, read)."""
    desk.before(*[_nothing] * 4, writing, reading)


async def test_a_row_that_is_edited_and_loses_its_id_while_it_is_taken_is_not_asked_for_again() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    _first_turn(
        desk,
        writing=lambda: desk.put("Song 1", "Format", "9:16"),
        reading=lambda: desk.put("Song 1", "beatrelay_id", ""),
    )
    await desk.turn()
    (task,) = desk.tasks()
    desk.finish(task["id"])
    await desk.turn()
    assert len(desk.tasks()) == 1
    assert desk.row("Song 1")[3:5] == ["9:16", "succeeded"]
    assert desk.cell("Song 1", "beatrelay_id") != ""


async def test_not_even_if_the_relay_was_started_anew_in_between() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    _first_turn(desk)
    desk.line.faults.extend([None, None, None, None, "lost"])
    await desk.turn()
    desk.put("Song 1", "Format", "9:16")
    desk.put("Song 1", "beatrelay_id", "")
    desk.start()
    await desk.turn()
    assert len(desk.tasks()) == 1
    assert desk.cell("Song 1", "Task ID") == desk.tasks()[0]["id"]


async def test_two_rows_that_change_places_and_one_loses_its_id_both_come_to_their_end() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]

    def swap() -> None:
        desk.rows[1:] = desk.rows[:0:-1]

    _first_turn(desk, writing=swap, reading=lambda: desk.put("Song 1", "beatrelay_id", ""))
    await desk.turn()
    for task in desk.tasks():
        desk.finish(task["id"])
    await desk.turn()
    for title in ("Song 1", "Song 2"):
        assert desk.cell(title, "Task ID") in desk.cell(title, "Video URL") != ""
    assert len(desk.tasks()) == 2


async def test_a_status_that_lands_on_what_a_person_wrote_gives_way_to_it() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    desk.before(
        *[_nothing] * 4,
        lambda: desk.rows.insert(2, []),  # what is meant for song 2 lands above it
        lambda: desk.put("Song 1", "Status", "on hold, says Ada"),
        lambda: desk.rows.append(desk.rows.pop(1)),  # and when it is put right, on song 1
    )
    await desk.turn()
    assert [desk.cell(title, "Status") for title in ("Song 1", "Song 2")] == ["on hold, says Ada", "queued"]
    assert not any(desk.rows[1])


async def test_an_id_that_lands_in_an_empty_row_is_taken_out_however_often() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.rows += [[], ["", *[""] * 9, desk.cell("Song 1", "beatrelay_id")]]
    await desk.turn()
    assert not any(map(any, desk.rows[2:]))
    assert desk.cell("Song 1", "Status") == "queued"


async def test_a_row_that_an_undo_brings_back_is_rid_of_what_landed_in_it() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    desk.finish(desk.tasks()[1]["id"])
    gone: list[list[Any]] = []
    desk.before(
        _nothing,
        lambda: desk.rows.insert(1, []),  # what is meant for song 2 lands in song 1
        lambda: gone.append(desk.rows.pop(2)),
    )
    await desk.turn()
    await desk.turn()
    desk.rows.append(gone[0])
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    for title, task in zip(("Song 1", "Song 2"), desk.tasks(), strict=True):
        assert desk.row(title)[4:6] == ["succeeded", f"https://cdn.example/{task['id']}.mp4"]


async def test_a_copy_of_a_row_with_its_neighbours_results_is_put_right_with_it() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    first, second = desk.tasks()
    desk.finish(first["id"])
    await desk.turn()
    desk.put("Song 2", "Status", "on hold, says Ada")
    await desk.turn()
    desk.finish(second["id"])
    desk.before(
        _nothing,
        lambda: desk.rows.insert(1, []),  # what is meant for song 2 lands in song 1
        lambda: desk.rows.append(["Song 1 again", *desk.row("Song 1")[1:]]),
    )
    await desk.turn()
    for title in ("Song 1", "Song 1 again"):
        assert desk.row(title)[4:6] == ["succeeded", f"https://cdn.example/{first['id']}.mp4"]
    assert desk.row("Song 2")[4:6] == ["on hold, says Ada", f"https://cdn.example/{second['id']}.mp4"]
    assert len(desk.tasks()) == 2


async def test_a_copy_of_a_row_that_was_edited_is_not_asked_for_until_a_person_empties_its_status() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.put("Song 1", "Format", "9:16")
    desk.finish(desk.tasks()[0]["id"])
    desk.before(
        *[_nothing] * 2,  # its result is written, and copied before it is read again
        lambda: desk.rows.insert(1, ["Song 1 again", *desk.row("Song 1")[1:]]),
    )
    await desk.turn()
    await desk.turn()
    assert len(desk.tasks()) == 1
    assert desk.row("Song 1 again")[4:6] == desk.row("Song 1")[4:6]
    assert desk.cell("Song 1 again", "beatrelay_id") != desk.cell("Song 1", "beatrelay_id")


async def test_a_copy_of_what_had_just_landed_in_a_row_follows_the_task_of_that_row() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    first, second = desk.tasks()
    desk.finish(first["id"])
    desk.finish(second["id"])
    desk.before(
        _nothing,
        lambda: desk.rows.insert(1, []),  # what is meant for song 2 lands in song 1
        _nothing,
        lambda: desk.rows.append(["Song 1 again", *desk.row("Song 1")[1:]]),
    )
    await desk.turn()
    await desk.turn()
    for title, task in (("Song 1", first), ("Song 2", second), ("Song 1 again", first)):
        assert desk.row(title)[4:6] == ["succeeded", f"https://cdn.example/{task['id']}.mp4"]
    assert len(desk.tasks()) == 2


async def test_a_row_that_is_copied_and_loses_its_id_at_once_is_not_asked_for_again() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.put("Song 1", "Format", "9:16")
    desk.finish(desk.tasks()[0]["id"])

    def copy() -> None:
        desk.rows.append(["Song 1 again", *desk.row("Song 1")[1:]])
        desk.put("Song 1", "beatrelay_id", "")

    desk.before(*[_nothing] * 2, copy)
    await desk.turn()
    await desk.turn()
    assert len(desk.tasks()) == 1
    assert desk.row("Song 1 again")[4:6] == desk.row("Song 1")[4:6]


async def test_a_row_whose_id_was_overwritten_by_ours_and_that_was_edited_gets_its_own_back() -> None:
    desk = Desk()
    desk.rows.append(song(1))

    def swap() -> None:  # the id that is meant for song 2 lands in song 1, whose result is being written
        desk.rows[1], desk.rows[2] = desk.rows[2], desk.rows[1]

    desk.before(
        *[_nothing] * 3,
        lambda: desk.rows.append(song(2)),
        swap,
        lambda: desk.put("Song 1", "Format", "9:16"),
    )
    await desk.turn()
    await desk.turn()
    first, second = desk.tasks()
    for title, task in (("Song 1", first), ("Song 2", second)):
        assert (desk.cell(title, "Status"), desk.cell(title, "Task ID")) == ("queued", task["id"])
    assert desk.cell("Song 1", "beatrelay_id") != desk.cell("Song 2", "beatrelay_id")


async def test_a_copy_that_is_edited_while_it_gets_its_id_is_not_asked_for() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    first, second = desk.tasks()
    desk.finish(first["id"])
    await desk.turn()
    desk.finish(second["id"])  # what is written now could be what the copy says
    desk.before(
        lambda: desk.rows.append(["Song 1 again", *desk.row("Song 1")[1:]]),
        _nothing,
        lambda: desk.put("Song 1 again", "Format", "9:16"),
    )
    await desk.turn()
    await desk.turn()
    assert len(desk.tasks()) == 2
    assert desk.row("Song 1 again")[4:8] == desk.row("Song 1")[4:8]
    desk.put("Song 1 again", "Status", "")
    await desk.turn()
    assert len(desk.tasks()) == 3


async def test_a_copy_into_which_a_neighbours_status_lands_says_again_what_was_copied() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.put("Song 1", "Format", "9:16")
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    desk.rows.append(song(2))
    desk.before(
        *[_nothing] * 3,
        lambda: desk.rows.insert(2, ["Song 1 again", *desk.row("Song 1")[1:]]),  # where song 2 stood
    )
    await desk.turn()
    await desk.turn()
    assert len(desk.tasks()) == 2
    assert desk.row("Song 1 again")[4:8] == desk.row("Song 1")[4:8]
    assert desk.cell("Song 2", "Status") == "queued"


async def test_what_was_sent_for_a_row_earlier_and_lands_in_it_from_a_neighbour_is_not_taken_for_a_persons() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    desk.line.faults.extend([None, None, None, None, "cut"])  # "queued", for both
    await desk.turn()
    first, second = desk.tasks()
    desk.finish(first["id"])
    desk.rows.append(["", *[""] * 9, desk.cell("Song 2", "beatrelay_id")])  # to be put right: all is kept in mind
    desk.before(
        _nothing,
        lambda: desk.rows.insert(1, []),  # song 2's "queued" lands in song 1
    )
    await desk.turn()
    await desk.turn()
    for title, task, status in (("Song 1", first, "succeeded"), ("Song 2", second, "queued")):
        assert (desk.cell(title, "Status"), desk.cell(title, "Task ID")) == (status, task["id"])


async def test_a_row_that_an_undo_brings_back_with_its_neighbours_id_and_results_is_rid_of_them() -> None:
    desk = Desk()
    desk.rows += [song(1, "round"), song(2)]
    await desk.turn()
    (task,) = desk.tasks()
    desk.finish(task["id"])
    desk.rows.append(song(3))
    gone: list[list[Any]] = []
    desk.before(
        _nothing,
        lambda: desk.rows.insert(1, []),  # song 2's result lands in song 1, and song 3's id in song 2
        _nothing,
        lambda: desk.rows.insert(1, ["Song 1 again", *desk.row("Song 1")[1:]]),  # so does what puts song 2 right
        lambda: gone.append(desk.rows.pop(desk.rows.index(desk.row("Song 1")))),
    )
    await desk.turn()
    desk.rows.append(gone[0])
    await desk.turn()
    await desk.turn()
    assert desk.row("Song 1")[4:8] == ["invalid", "", "", ""]
    assert desk.row("Song 2")[4:6] == ["succeeded", f"https://cdn.example/{task['id']}.mp4"]
    assert len({desk.cell(f"Song {number}", "beatrelay_id") for number in (1, 2, 3)}) == 3


async def test_a_relay_that_starts_anew_knows_what_was_under_way_and_asks_for_no_song_twice() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    desk.before(
        *[_nothing] * 4,
        lambda: desk.rows.remove(desk.row("Song 1")),  # its status lands in song 2
        lambda: desk.put("Song 2", "Format", "9:16"),
        lambda: desk.rows.insert(1, []),  # and so does what takes out what lies below it
    )
    desk.line.faults.extend([*[None] * 7, "cut"])
    await desk.turn()
    assert desk.row("Song 2")[4:8] == ["", "", "", ""]
    desk.start()
    await desk.turn()
    _, second = desk.tasks()
    assert desk.row("Song 2")[4:8] == ["queued", "", "", second["id"]]
    assert not any(desk.rows[1])


async def test_what_landed_in_an_empty_row_is_taken_out_by_a_relay_that_starts_anew() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    desk.before(_nothing, _nothing, lambda: desk.rows.insert(1, []))
    desk.line.faults.extend([None, None, "lost"])
    await desk.turn()
    assert desk.rows[1][-1] != ""
    desk.start()
    await desk.turn()
    assert not any(desk.rows[1])
    assert desk.cell("Song 1", "Status") == "queued"


async def test_what_is_remembered_of_a_sheet_is_written_down_only_when_it_changes() -> None:
    desk = Desk()
    desk.rows += [song(1), song(2)]
    await desk.turn()
    await desk.turn()
    before = desk.database.total_changes
    for _ in range(3):
        await desk.turn()
    assert desk.database.total_changes == before


async def test_what_another_release_remembered_of_a_sheet_is_left_alone() -> None:
    desk = Desk()
    desk.rows.append(song(1))
    await desk.turn()
    desk.database.execute("UPDATE watched_sheets SET memory = x'91a161'")
    desk.start()
    desk.finish(desk.tasks()[0]["id"])
    await desk.turn()
    assert desk.cell("Song 1", "Status") == "succeeded"
    assert len(desk.tasks()) == 1


async def test_a_copy_of_an_invalid_row_that_is_mended_is_asked_for() -> None:
    desk = Desk()
    desk.rows.append(song(1, "round"))
    await desk.turn()
    desk.rows.append(["Song 2", *song(2)[1:], *desk.row("Song 1")[4:]])
    await desk.turn()
    await desk.turn()
    (task,) = desk.tasks()
    assert desk.row("Song 2")[4:9] == ["queued", "", "", task["id"], ""]
    assert desk.row("Song 1")[4:8] == ["invalid", "", "", ""]
    assert desk.cell("Song 1", "beatrelay_id") != desk.cell("Song 2", "beatrelay_id")


async def test_a_copy_of_an_invalid_row_says_what_is_wrong_with_itself() -> None:
    desk = Desk()
    desk.rows.append(song(1, "round"))
    await desk.turn()
    desk.rows.append(["Song 1 again", *desk.row("Song 1")[1:]])
    await desk.turn()
    await desk.turn()
    assert desk.cell("Song 1 again", "Status") == "invalid"
    assert "(D3) is 'round'" in desk.cell("Song 1 again", "Error")
    assert "(D2) is 'round'" in desk.cell("Song 1", "Error")


async def test_what_a_person_wrote_into_a_copy_of_an_invalid_row_stays() -> None:
    desk = Desk()
    desk.rows.append(song(1, "round"))
    await desk.turn()
    desk.rows.append(["Song 2", *song(2)[1:], *desk.row("Song 1")[4:]])
    desk.put("Song 2", "Status", "not yet, says Ada")
    await desk.turn()
    await desk.turn()
    assert desk.tasks() == []
    assert desk.cell("Song 2", "Status") == "not yet, says Ada"
