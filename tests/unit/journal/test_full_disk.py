"""A disk that takes nothing more: said at once and once, forgotten when it works again."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.journal import JournalError, SqliteJournal, Unavailable
from relay.journal.condition import Condition

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await journal.write(lambda connection: connection.execute("CREATE TABLE stuff (bytes BLOB)"))
    yield journal
    await journal.close()


async def tell(journal: SqliteJournal, pragma: str) -> None:
    """Give SQLite's own limits to the writer's connection, as they are when it next works."""
    assert journal._writer is not None
    journal._writer._connection.execute(f"PRAGMA {pragma}")


async def put(journal: SqliteJournal, size: int = 100_000) -> None:
    await journal.write(lambda connection: connection.execute("INSERT INTO stuff VALUES (zeroblob(?))", (size,)))


async def stored(journal: SqliteJournal) -> int:
    return await journal.read(lambda connection: connection.execute("SELECT count(*) FROM stuff").fetchone()[0])


@pytest.mark.parametrize(
    ("fault", "cure", "says"),
    [
        ("max_page_count = 1", "max_page_count = 1000000", "the disk is full; make room"),
        ("query_only = ON", "query_only = OFF", "read-only; mount it for writing"),
    ],
)
async def test_it_is_named_remembered_and_forgotten(
    journal: SqliteJournal, caplog: pytest.LogCaptureFixture, fault: str, cure: str, says: str
) -> None:
    await tell(journal, fault)
    for _ in range(5):
        with pytest.raises(Unavailable, match=says):
            await put(journal)
    assert says in (journal.trouble or "")
    assert await stored(journal) == 0
    await tell(journal, cure)
    await put(journal)
    assert journal.trouble is None
    assert await stored(journal) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING], "once per change"


async def test_a_disk_that_has_room_now_and_then_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    monkeypatch.setattr("relay.journal.condition.time.monotonic", lambda: now)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    condition = Condition("written")
    for _ in range(100):
        assert isinstance(condition.failed(full), Unavailable)
        assert condition.trouble is not None
        condition.worked()
        assert condition.trouble is None
        now += 0.5
    assert len(caplog.records) == 2, "the first failure and its end"
    for _ in range(100):
        condition.failed(full)
        now += 1.0
    assert len(caplog.records) == 3, "one that lasts is told, once"


async def test_it_is_found_out_that_it_works_again_although_nobody_writes(journal: SqliteJournal) -> None:
    await tell(journal, "query_only = ON")
    with pytest.raises(Unavailable):
        await put(journal)
    await tell(journal, "query_only = OFF")
    async with asyncio.timeout(20):
        while journal.trouble is not None:
            await asyncio.sleep(0.01)


async def test_a_transaction_that_writes_nothing_proves_nothing(journal: SqliteJournal) -> None:
    await tell(journal, "query_only = ON")
    with pytest.raises(Unavailable):
        await put(journal)
    with pytest.raises(Unavailable):
        await journal.write(lambda connection: connection.execute("DELETE FROM stuff WHERE 0"))
    assert journal.trouble is not None


async def test_its_neighbours_in_a_commit_are_told_the_same(journal: SqliteJournal) -> None:
    await tell(journal, "max_page_count = 1")
    told = await asyncio.gather(*(put(journal) for _ in range(50)), return_exceptions=True)
    assert {type(one) for one in told} == {Unavailable}
    assert await stored(journal) == 0


async def test_a_mistake_of_ours_is_no_trouble_of_the_disk(journal: SqliteJournal) -> None:
    with pytest.raises(JournalError, match="no such table") as caught:
        await journal.write(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    assert not isinstance(caught.value, Unavailable)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert journal.trouble is None


async def test_a_read_that_fails_is_told_as_well(journal: SqliteJournal, tmp_path: Path) -> None:
    reader = SqliteJournal.inspect(tmp_path / "journal.db")
    (tmp_path / "journal.db").rename(tmp_path / "away.db")
    with pytest.raises(Unavailable, match="its file cannot be opened"):
        await reader.pulse()
    assert reader.trouble is not None
    (tmp_path / "away.db").rename(tmp_path / "journal.db")
    await reader.pulse()
    assert reader.trouble is None
    await reader.close()
