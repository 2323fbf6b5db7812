"""The ledger: what the provider said, as differences, in its own unit; and whether it counts the same in all."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from relay.contract import Task, Unit, decode
from relay.flow.books import book
from relay.flow.intake import Origin
from relay.flow.reconcile import Reconciler
from relay.journal import LedgerLine
from relay.providers import Standing, Told
from tests.unit.flow.test_intake import Desk

pytestmark = pytest.mark.anyio


def told(unit: Unit = "credits", status: str = "processing", **usage: Any) -> Told:
    document: dict[str, Any] = {"id": "theirs", "status": status}
    if usage:
        document["usage"] = {f"credits_{kind}": value for kind, value in usage.items()}
    raw = json.dumps(document)
    return Told(decode(raw, Task), raw, unit)


def amounts(lines: list[LedgerLine]) -> list[tuple[str, float, str]]:
    return [(line.kind, line.amount / 10**9, line.unit) for line in lines]


def test_a_line_is_a_difference() -> None:
    usage, lines = book("{}", told(reserved=75, charged=75, settled=0), "create", 1.0)
    assert amounts(lines) == [("reserved", 75, "credits"), ("charged", 75, "credits")]
    usage, lines = book(usage, told(reserved=75, charged=75, settled=75), "poll", 2.0)
    assert amounts(lines) == [("settled", 75, "credits")]
    assert book(usage, told(reserved=75, charged=75, settled=75), "poll", 3.0) == (usage, [])
    _, lines = book(usage, told(settled=0, refunded=75), "poll", 4.0)
    assert amounts(lines) == [("settled", -75, "credits"), ("refunded", 75, "credits")]


def test_what_is_not_said_stays_as_it_was() -> None:
    usage, _ = book("{}", told(charged=75), "create", 1.0)
    assert book(usage, told(), "webhook", 2.0) == (usage, [])
    raw = '{"id":"theirs","status":"queued","usage":null}'
    assert book(usage, Told(decode('{"id":"a","status":"b"}', Task), raw), "poll", 2.0) == (usage, [])


def test_units_are_never_mixed() -> None:
    usage, _ = book("{}", told(charged=75), "create", 1.0)
    _, lines = book(usage, told("usd", charged=1.5), "poll", 2.0)
    assert amounts(lines) == [("charged", -75, "credits"), ("charged", 1.5, "usd")]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.journal.close()


async def spend(desk: Desk, origin: Origin, charged: int) -> str:
    task_id = await desk.accept(origin=origin)

    async def answer() -> Told:
        answered = told(reserved=charged, charged=charged)
        answered.task.id = f"theirs_{task_id}"
        return answered

    desk.provider.answer = answer  # type: ignore[assignment]
    await desk.turn()
    return task_id


async def test_the_books_are_summed_by_task_batch_client_and_day(desk: Desk) -> None:
    first = await spend(desk, Origin("ann", "spring"), 75)
    await spend(desk, Origin("ann", "autumn"), 50)
    await spend(desk, Origin("bob", "spring"), 10)
    await desk.observer.observe(
        await desk.task(first), told(status="failed", reserved=75, charged=75, refunded=75), "poll"
    )
    sums = desk.journal.ledger.sums

    async def summed(by: Any, **more: Any) -> dict[str, tuple[int, int, int]]:
        rows = await sums(by, 0.0, 9e12, **{"limit": 10, **more})
        return {row.name: (row.tasks, row.charged // 10**9, row.refunded // 10**9) for row in rows}

    assert await summed("client") == {"ann": (2, 125, 75), "bob": (1, 10, 0)}
    assert await summed("batch") == {"autumn": (1, 50, 0), "spring": (2, 85, 75)}
    assert await summed("batch", after="autumn") == {"spring": (2, 85, 75)}
    assert await summed("day") == {"2026-07-16": (3, 135, 75)}
    assert (await summed("task"))[first] == (1, 75, 75)
    assert await sums("day", 0.0, 10.0, 10) == []
    rows = await desk.journal.read(lambda c: c.execute("SELECT * FROM ledger ORDER BY seq").fetchall())
    operation = await desk.operation(first)
    assert {row["operation_id"] for row in rows if row["task_id"] == first} == {operation.id}


async def test_a_difference_that_lasts_is_flagged(desk: Desk) -> None:
    def standing(tasks: int, settled: int) -> Standing:
        return Standing(Decimal(100), "credits", 2, 0, tasks, Decimal(settled), Decimal(0))

    reconciler = Reconciler(desk.journal, desk.clock, desk.provider, desk.governor)
    assert (await reconciler.check()).agrees is None, "the account cannot be read"
    desk.provider.standing_now = standing(7, 400)
    report = await reconciler.check()
    assert (report.agrees, report.since) == (True, desk.clock.now())
    task_id = await spend(desk, Origin("ann"), 75)
    desk.provider.standing_now = standing(8, 475)
    assert (await reconciler.check()).agrees is None, "settled there, not yet seen by us"
    await desk.observer.observe(
        await desk.task(task_id), told(status="succeeded", reserved=75, charged=75, settled=75), "poll"
    )
    report = await reconciler.check()
    assert (report.agrees, report.provider) == (True, report.relay)
    desk.provider.standing_now = standing(9, 525)
    assert (await reconciler.check()).agrees is None
    desk.clock.advance(121)
    report = await reconciler.check()
    assert report.agrees is False
    assert report.difference is not None
    assert (report.difference.tasks, report.difference.settled) == (1, 50)
    assert reconciler.state == "differs"


async def test_the_books_are_not_opened_while_something_runs(desk: Desk) -> None:
    desk.provider.standing_now = Standing(Decimal(100), "credits", 2, 1, 1, Decimal(0), Decimal(0))
    reconciler = Reconciler(desk.journal, desk.clock, desk.provider, desk.governor)
    report = await reconciler.check()
    assert (report.agrees, report.since) == (None, None)
