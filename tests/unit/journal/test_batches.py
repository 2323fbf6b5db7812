"""Batches in the journal: rows by pages, and what may change before the start only."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.journal import BatchRow, SheetRow, SqliteJournal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    batch = BatchRow(
        id="bat_1", client="c", name="n", sheet="", digest="", state="planned", columns="{}", created_at=1.0
    )
    await journal.batches.add(batch, [row(number) for number in range(2, 8)])
    yield journal
    await journal.close()


def row(number: int, request: str = "{}") -> SheetRow:
    return SheetRow(
        batch_id="bat_1",
        number=number,
        identity=f"i{number}",
        version="v",
        workflow="music-video",
        request=request,
        facts="{}",
        state="invalid" if number % 3 == 0 else "new",
    )


async def test_rows_come_by_pages_in_order_and_by_their_state(journal: SqliteJournal) -> None:
    async def numbers(limit: int, after: int = 0, **only: list[str]) -> list[int]:
        return [one.number for one in await journal.batches.page("bat_1", limit, after, **only)]  # type: ignore[arg-type]

    assert await numbers(4) == [2, 3, 4, 5]
    assert await numbers(4, 5) == [6, 7]
    assert await numbers(4, states=["invalid"]) == [3, 6]
    assert await numbers(1, 3, states=["invalid"]) == [6]
    assert await numbers(4, statuses=["succeeded"]) == [], "none has a task"
    assert [one.number for one in await journal.batches.tasks("bat_1", [2])] == []


async def test_rows_are_amended_until_the_batch_is_started(journal: SqliteJournal) -> None:
    assert await journal.batches.amend("bat_1", [row(4, '{"a":1}')])
    rows = await journal.batches.rows("bat_1")
    assert [one.request for one in rows] == ["{}", "{}", '{"a":1}', "{}", "{}", "{}"]
    assert await journal.batches.start("bat_1", rows, 2.0)
    assert not await journal.batches.amend("bat_1", [row(4)])
    assert (await journal.batches.rows("bat_1"))[2].request == '{"a":1}'
