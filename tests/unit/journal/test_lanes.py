"""Lanes: order, room, rate, pauses and the breaker, as the journal keeps them."""

from pathlib import Path

import msgspec
import pytest

from relay.journal import (
    BREAK_AFTER,
    GIVE_UP,
    DeliveryFilter,
    DeliveryRow,
    LaneNews,
    LanePolicies,
    LanePolicy,
    Settlement,
    SqliteJournal,
)

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000.0
POLICIES = LanePolicies({"narrow": LanePolicy(max_concurrency=2), "slow": LanePolicy(interval=1.0)}, reserve=4)


def row(id: str, lane: str, *, revision: int = 1, task: str = "", at: float = NOW, after: str = "") -> DeliveryRow:
    return DeliveryRow(
        id=id,
        task_id=task or f"task_{id}",
        revision=revision,
        event_id=f"evt_{task or id}_{revision}",
        recipe="Tell",
        recipe_hash="h",
        step=id,
        use="probe",
        connection=None,
        lane=lane,
        state="waiting" if after else "due",
        created_at=at,
        updated_at=at,
        due_at=None if after else at,
        waits_for=[after] if after else [],
    )


async def add(journal: SqliteJournal, *rows: DeliveryRow) -> None:
    await journal.deliveries.add(list(rows), [])


async def claim(journal: SqliteJournal, limit: int = 8, at: float = NOW) -> list[DeliveryRow]:
    return [briefing.delivery for briefing in await journal.deliveries.claim(at, lambda: limit, 40, POLICIES)]


async def settle(
    journal: SqliteJournal, row: DeliveryRow, state: str, news: LaneNews | None = None, at: float = NOW
) -> None:
    due = at if state == "due" else None
    after = msgspec.structs.replace(row, state=state, due_at=due, updated_at=at)
    assert await journal.deliveries.settle(Settlement(delivery=after, lane=news))


async def states(journal: SqliteJournal) -> dict[str, str]:
    return {row.id: row.state for row in await journal.deliveries.find(DeliveryFilter(), 100)}


async def lane(journal: SqliteJournal, name: str) -> object:
    return next(lane for lane in await journal.lanes.all() if lane.name == name)


@pytest.mark.parametrize("end", ["done", "dead"])
async def test_a_revision_waits_for_the_one_before_at_the_same_destination(journal: SqliteJournal, end: str) -> None:
    await add(journal, row("a1", "a", task="t"), row("b1", "b", task="t"))
    await add(journal, row("a2", "a", task="t", revision=2), row("c2", "c", task="t", revision=2))
    assert await states(journal) == {"a1": "due", "b1": "due", "a2": "waiting", "c2": "due"}
    (first,) = [one for one in await claim(journal) if one.id == "a1"]
    await settle(journal, first, "due")
    assert (await states(journal))["a2"] == "waiting"
    (first,) = await claim(journal)
    await settle(journal, first, end)
    assert (await states(journal))["a2"] == "due"


async def test_nobody_waits_for_the_turn_of_a_step_that_is_stuck(journal: SqliteJournal) -> None:
    """a1 waits for b1; b1 dies: only a person's replay moves a1, so a2 goes on, planned before or after the death."""
    await add(journal, row("b1", "b", task="t"), row("a1", "a", task="t", after="b1"))
    await add(journal, row("a2", "a", task="t", revision=2))
    assert (await states(journal))["a2"] == "waiting"
    (first,) = await claim(journal)
    await settle(journal, first, "dead")
    await add(journal, row("a3", "a", task="t", revision=3))
    (second,) = await claim(journal)
    assert second.id == "a2"
    await settle(journal, second, "done")
    assert await states(journal) == {"b1": "dead", "a1": "waiting", "a2": "done", "a3": "due"}
    assert [one.id for one in await journal.deliveries.again(["b1"], NOW)] == ["b1"]
    (again,) = [one for one in await claim(journal) if one.id == "b1"]
    await settle(journal, again, "done")
    assert (await states(journal))["a1"] == "due", "the replayed step did not free what waited for it"


async def test_replaying_what_is_done_frees_nobody_twice(journal: SqliteJournal) -> None:
    await add(journal, row("a", "a"), row("b", "b"), row("c", "c", after="a"))
    first, second = await claim(journal)
    await settle(journal, first, "done")
    await journal.deliveries.again([first.id], NOW)
    (again,) = [one for one in await claim(journal) if one.id == first.id]
    await settle(journal, again, "done")
    assert (await states(journal))["c"] in ("due", "leased")
    assert (await journal.deliveries.get("c")).blockers == 0  # type: ignore[union-attr]
    assert second.id == "b"


async def test_ten_thousand_due_in_one_lane_starve_nobody(journal: SqliteJournal) -> None:
    await add(journal, *(row(f"big{number:05}", "big", at=NOW - 1000) for number in range(10_000)))
    await add(journal, row("small", "small"))
    lanes = [one.lane for one in await claim(journal, 2)]
    assert sorted(lanes) == ["big", "small"]
    await add(journal, row("small2", "small"))
    assert [one.lane for one in await claim(journal, 1)] == [], "the last places are for lanes with nothing under way"
    await add(journal, row("new", "new"))
    assert [one.lane for one in await claim(journal, 1)] == ["new"]


async def test_two_busy_lanes_leave_the_last_places_to_a_third(journal: SqliteJournal) -> None:
    for name in ("a", "b"):
        await add(journal, *(row(f"{name}{number}", name) for number in range(10)))
    assert sorted(one.lane for one in await claim(journal, 8)) == ["a", "a", "b", "b"]
    await add(journal, row("c", "c"), row("c2", "c"))
    assert [one.lane for one in await claim(journal, 4)] == ["c"]


async def test_the_lane_that_was_served_longest_ago_goes_first(journal: SqliteJournal) -> None:
    await add(journal, *(row(f"old{number}", "old", at=NOW - 1000) for number in range(3)), row("new", "new"))
    for at, name in ((NOW, "old"), (NOW + 1, "new"), (NOW + 2, "old")):
        (one,) = await claim(journal, 1, at)
        assert one.lane == name
        await settle(journal, one, "done", LaneNews(ok=True), at)


async def test_what_is_mended_or_resumed_is_tried_at_once(journal: SqliteJournal) -> None:
    await add(journal, row("a", "a"), row("b", "b"))
    for one in await claim(journal):
        after = msgspec.structs.replace(one, state="due", due_at=NOW + 3600, updated_at=NOW)
        await journal.deliveries.settle(Settlement(delivery=after, lane=LaneNews(until=NOW + 600, error="429")))
    assert await claim(journal) == []
    assert await journal.lanes.mended("a", NOW) == 1
    assert [one.id for one in await claim(journal)] == ["a"]
    assert await journal.lanes.resume("b", NOW) == 1
    assert [one.id for one in await claim(journal)] == ["b"]
    await add(journal, row("p", "p"))
    await journal.lanes.pause("p", NOW, "a person paused it")
    assert await journal.lanes.mended("p", NOW) == 0
    assert (await states(journal))["p"] == "parked"


async def test_no_lane_gets_more_than_its_policy(journal: SqliteJournal) -> None:
    await add(journal, *(row(f"n{number}", "narrow") for number in range(5)))
    await add(journal, *(row(f"s{number}", "slow") for number in range(5)))
    first = await claim(journal, 32)
    assert sorted(one.lane for one in first) == ["narrow", "narrow", "slow"]
    assert await claim(journal, 32, NOW + 0.5) == []
    assert await journal.deliveries.next_due(NOW, 32, POLICIES) == NOW + 1, "the slow lane's next turn"
    await settle(journal, first[0], "done", LaneNews(ok=True))
    assert [one.lane for one in await claim(journal, 32, NOW + 0.5)] == [first[0].lane]
    assert "slow" in [one.lane for one in await claim(journal, 32, NOW + 1)]


async def test_retry_after_holds_the_lane_and_no_other(journal: SqliteJournal) -> None:
    await add(journal, row("a", "a"), row("b", "b"), row("b2", "b", at=NOW + 1))
    one = next(one for one in await claim(journal) if one.lane == "a")
    await settle(journal, one, "due", LaneNews(until=NOW + 60))
    await add(journal, row("a2", "a"))
    assert [one.id for one in await claim(journal, at=NOW + 30)] == ["b2"]
    assert {one.id for one in await claim(journal, at=NOW + 60) if one.lane == "a"} == {"a", "a2"}


async def broken(journal: SqliteJournal) -> None:
    """A lane whose breaker is open since NOW."""
    await add(journal, *(row(f"a{number}", "a") for number in range(BREAK_AFTER + 2)))
    for one in (await claim(journal, 32))[:BREAK_AFTER]:
        await settle(journal, one, "due", LaneNews(ok=False, error="it answered 503"))
    await journal.close()


async def test_a_dead_destination_is_probed_and_nothing_else_is_burnt(journal: SqliteJournal, tmp_path: Path) -> None:
    await broken(journal)
    journal = SqliteJournal.open(tmp_path / "journal.db")  # the breaker is remembered
    at = NOW
    for wait in (30, 60, 120, 240, 480, 600, 600):
        assert await claim(journal, 32, at + wait - 1) == []
        at += wait
        (probe,) = await claim(journal, 32, at)
        assert (probe.probe, probe.attempts <= 1) == (1, True)
        assert await claim(journal, 32, at) == [], "half open: one probe at a time"
        await settle(journal, probe, "due", LaneNews(ok=False, error="still"), at)
    found = await lane(journal, "a")
    assert (found.opened_at, found.probes, found.error) == (NOW, 7, "still")  # type: ignore[attr-defined]
    at += 600
    (probe,) = await claim(journal, 32, at)
    await settle(journal, probe, "done", LaneNews(ok=True), at)
    assert len(await claim(journal, 32, at)) == BREAK_AFTER + 1, "all that waited goes at once"
    assert (await lane(journal, "a")).opened_at is None  # type: ignore[attr-defined]
    await journal.close()


async def test_a_breaker_does_not_hold_for_ever(journal: SqliteJournal, tmp_path: Path) -> None:
    await broken(journal)
    journal = SqliteJournal.open(tmp_path / "journal.db")
    last = await claim(journal, 32, NOW + GIVE_UP + 60)
    assert {one.probe for one in last} == {2}
    assert len(last) == BREAK_AFTER + 2
    await journal.close()


async def test_one_bad_delivery_does_not_open_the_breaker(journal: SqliteJournal) -> None:
    await add(journal, row("bad", "a"))
    for number in range(12):
        (one,) = await claim(journal, at=NOW + number)
        await settle(journal, one, "due", LaneNews(ok=False, error="it answered 400"), NOW + number)
    assert (await lane(journal, "a")).opened_at is None  # type: ignore[attr-defined]


async def test_a_pause_parks_what_is_there_and_what_comes_and_resume_drains(journal: SqliteJournal) -> None:
    await add(journal, row("a1", "a"), row("b1", "b"), row("first", "b"), row("a2", "a", after="first"))
    assert await journal.lanes.pause("a", NOW, "maintenance") == 1
    await add(journal, row("a3", "a"))
    for one in await claim(journal):
        await settle(journal, one, "done")
    assert await states(journal) == {"a1": "parked", "a2": "parked", "a3": "parked", "b1": "done", "first": "done"}
    found = await journal.deliveries.find(DeliveryFilter(states=["parked"], lane="a"), 10)
    assert [one.id for one in found] == ["a3", "a2", "a1"]
    assert (await lane(journal, "a")).reason == "maintenance"  # type: ignore[attr-defined]
    assert await journal.lanes.resume("a", NOW + 5) == 3
    assert {one.id for one in await claim(journal, at=NOW + 5)} == {"a1", "a2", "a3"}


async def test_what_is_gone_pauses_its_lane(journal: SqliteJournal) -> None:
    await add(journal, row("a1", "a"), row("a2", "a"))
    first, second = await claim(journal)
    await settle(journal, first, "dead", LaneNews(pause="it answered 410"))
    await settle(journal, second, "due")
    assert await states(journal) == {first.id: "dead", second.id: "parked"}
    assert (await journal.pulse()).oldest_due_delivery is None
