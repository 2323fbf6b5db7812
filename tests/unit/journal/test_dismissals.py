"""A dead letter that was put aside takes along what can only go after it, and both can come back."""

import pytest
from msgspec.structs import replace

from relay.journal import Change, DeliveryRow, Settlement, SqliteJournal

from .test_sqlite import bound, delivery

pytestmark = pytest.mark.anyio


async def planned(journal: SqliteJournal, *rows: DeliveryRow) -> None:
    await journal.tasks.apply(Change(task=await bound(journal), deliveries=list(rows)))


async def ended(journal: SqliteJournal, **states: str) -> None:
    """Hand out what is due, and settle what is named so."""
    for briefing in await journal.deliveries.claim(400.0, lambda: 10, 60.0):
        row = briefing.delivery
        state = states.pop(row.id)
        over = replace(row, state=state, due_at=None, updated_at=101.0, error="no" if state == "dead" else None)
        assert await journal.deliveries.settle(Settlement(delivery=over))
    assert not states, "not all of these were due"


async def states(journal: SqliteJournal) -> dict[str, str]:
    return {row.id: row.state for row in await journal.deliveries.of_task("task_1")}


async def dismiss(journal: SqliteJournal, *ids: str) -> None:
    await journal.dismissals.dismiss(ids, 200.0, reason="arrived by hand", by="Ada")


async def again(journal: SqliteJournal, *ids: str) -> None:
    await journal.dismissals.recall(ids, 300.0)
    await journal.deliveries.again(ids, 300.0)


async def chain(journal: SqliteJournal) -> None:
    """`a` is dead; `b` waits for it, and `c` for `b`; `other` is dead as well."""
    await planned(
        journal,
        delivery("a"),
        delivery("b", waits_for=["a"]),
        delivery("c", waits_for=["b"]),
        delivery("other"),
    )
    await ended(journal, a="dead", other="dead")


async def test_what_waits_behind_goes_with_it_and_nothing_else(journal: SqliteJournal) -> None:
    await chain(journal)
    assert await journal.dismissals.behind(["a"]) == {"b": "http", "c": "http"}
    await dismiss(journal, "a")
    assert await states(journal) == {"a": "dismissed", "b": "dismissed", "c": "dismissed", "other": "dead"}
    pulse = await journal.pulse()
    assert (pulse.dead_deliveries, pulse.pending_deliveries) == (1, 0)
    told = [entry for entry in await journal.tasks.history("task_1") if entry.kind == "delivery.dismissed"]
    assert [(entry.data["delivery"], entry.data["by"], entry.data["reason"]) for entry in told] == [
        (step, "Ada", "arrived by hand") for step in ("a", "b", "c")
    ]


async def test_what_is_no_dead_letter_is_left_alone(journal: SqliteJournal) -> None:
    await planned(journal, delivery("a"), delivery("b", waits_for=["a"]))
    await dismiss(journal, "a", "b")
    assert await states(journal) == {"a": "due", "b": "waiting"}
    assert [entry.kind for entry in await journal.tasks.history("task_1")] == ["task.accepted"]


async def test_sent_again_all_behind_it_goes_as_if_nothing_had_been(journal: SqliteJournal) -> None:
    await chain(journal)
    await dismiss(journal, "a")
    await again(journal, "a")
    assert await states(journal) == {"a": "due", "b": "waiting", "c": "waiting", "other": "dead"}
    for step in ("a", "b", "c"):
        await ended(journal, **{step: "done"})
    assert await states(journal) == {"a": "done", "b": "done", "c": "done", "other": "dead"}


async def test_a_step_behind_two_waits_for_both(journal: SqliteJournal) -> None:
    """What else it waits for may arrive, or be put aside, while it is put aside itself."""
    await planned(
        journal, delivery("a"), delivery("b"), delivery("c", due_at=700.0), delivery("z", waits_for=["a", "b", "c"])
    )
    await ended(journal, a="dead", b="dead")
    await dismiss(journal, "a", "b")
    (late,) = await journal.deliveries.claim(700.0, lambda: 10, 60.0)
    await journal.deliveries.settle(Settlement(delivery=replace(late.delivery, state="done", due_at=None)))
    await again(journal, "a")
    assert (await states(journal))["z"] == "dismissed", "the other one is still put aside"
    await again(journal, "b")
    assert (await states(journal))["z"] == "waiting"
    for briefing in await journal.deliveries.claim(800.0, lambda: 10, 60.0):
        over = replace(briefing.delivery, state="done", due_at=None, updated_at=800.0)
        await journal.deliveries.settle(Settlement(delivery=over))
    assert (await states(journal))["z"] == "due"


async def test_a_step_behind_one_does_not_come_back_without_it(journal: SqliteJournal) -> None:
    await chain(journal)
    await dismiss(journal, "a")
    await again(journal, "b")
    assert (await states(journal))["b"] == "dismissed"
