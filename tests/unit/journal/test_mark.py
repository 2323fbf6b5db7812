"""A journal that has gone back in time is refused; whatever else happens to it, it is not."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.journal import JournalError, SqliteJournal, copy_journal, mark
from relay.journal.mark import Mark
from tests.unit.journal.test_sqlite import entry, operation, task

pytestmark = pytest.mark.anyio


async def write(journal: SqliteJournal, number: int) -> None:
    await journal.tasks.create(task(f"task_{number}"), operation(f"task_{number}"), entry(task_id=f"task_{number}"))


async def used(folder: Path, number: int) -> None:
    """A life in which something is written."""
    journal = SqliteJournal.open(folder / "journal.db")
    await write(journal, number)
    await journal.close()


def copied(folder: Path) -> Path:
    copy_journal(folder / "journal.db", folder / "copy.db", lambda _done, _total: None)
    return folder / "copy.db"


def put_back(folder: Path) -> None:
    """As people do it."""
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(folder / "copy.db", folder / "journal.db")


def number_in(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


async def test_a_copy_put_back_by_hand_after_a_clean_stop_is_refused(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await write(journal, 1)
    copied(tmp_path)
    await write(journal, 2)
    await journal.close()
    put_back(tmp_path)
    before = (tmp_path / "journal.db").read_bytes()
    with pytest.raises(JournalError) as caught:
        SqliteJournal.open(tmp_path / "journal.db")
    for words in ("put in its place by hand", "beatrelay restore", str(tmp_path / "journal.db.mark")):
        assert words in str(caught.value)
    assert (tmp_path / "journal.db").read_bytes() == before, "it is left alone"
    (tmp_path / "journal.db.mark").unlink()
    await SqliteJournal.open(tmp_path / "journal.db").close()


async def test_a_copy_from_a_minute_before_a_kill_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await write(journal, 1)
    copied(tmp_path)
    now = time.monotonic()
    monkeypatch.setattr(mark.time, "monotonic", lambda: now + mark.EVERY)
    await write(journal, 2)
    shutil.copytree(tmp_path, tmp_path / "killed")  # what a SIGKILL leaves
    await journal.close()
    shutil.copy(tmp_path / "journal.db.mark", tmp_path / "kept")
    put_back(tmp_path / "killed")
    with pytest.raises(JournalError, match="put in its place by hand"):
        SqliteJournal.open(tmp_path / "killed" / "journal.db")


async def test_a_kill_at_any_time_is_no_false_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is written after the commit; what is left by a kill in between, or before, is a mark that is behind."""
    monkeypatch.setattr(mark, "EVERY", 0.0)
    journal = SqliteJournal.open(tmp_path / "journal.db")
    for number in range(20):
        await write(journal, number)
        left = tmp_path / f"left{number}"
        left.mkdir()
        for name in ("journal.db.mark", "journal.db", "journal.db-wal"):  # the mark first: it is never ahead
            shutil.copy(tmp_path / name, left / name)
        again = SqliteJournal.open(left / "journal.db")
        assert len(await again.tasks.recent(100)) == number + 1
        await again.close()
    await journal.close()


async def test_what_a_power_cut_may_undo_is_not_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark would be ahead of the journal, and the relay would not start again."""
    monkeypatch.setattr(mark, "EVERY", 0.0)
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await write(journal, 1)
    seen = Mark(tmp_path / "journal.db").seen()
    assert await journal.deliveries.claim(2.0, lambda: 10, 30.0) == []
    assert Mark(tmp_path / "journal.db").seen() == seen
    await write(journal, 2)
    assert Mark(tmp_path / "journal.db").seen() == seen + 1
    await journal.close()


async def test_a_write_that_fails_takes_the_rise_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark, "EVERY", 0.0)
    journal = SqliteJournal.open(tmp_path / "journal.db")

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO nowhere VALUES (1)")

    for _ in range(3):
        with pytest.raises(JournalError):
            await journal.write(fails)
    seen = await journal.read(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0])
    assert seen == Mark(tmp_path / "journal.db").seen()
    await journal.close()
    assert number_in(tmp_path) == Mark(tmp_path / "journal.db").seen()


async def test_idle_lives_and_ordinary_writes_cost_nothing_more(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    for number in range(50):
        await write(journal, number)
    assert await journal.read(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0]) == 1
    await journal.close()
    assert number_in(tmp_path) == 2, "at the start and at the end, for it took no minute"
    await SqliteJournal.open(tmp_path / "journal.db").close()
    assert number_in(tmp_path) == 3, "nothing was written, so the end is no news"


@pytest.mark.parametrize("content", [b"", b"torn", b"\xff\xfe", b"-"])
async def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    await used(tmp_path, 1)
    (tmp_path / "journal.db.mark").write_bytes(content)
    await used(tmp_path, 2)
    assert Mark(tmp_path / "journal.db").seen() > 0


async def test_a_folder_where_no_mark_can_be_written_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "journal.db.mark").mkdir()
    await used(tmp_path, 1)
    await used(tmp_path, 2)


async def test_a_journal_made_anew_and_a_folder_moved_whole_are_nobodys_copies(tmp_path: Path) -> None:
    await used(tmp_path, 1)
    await used(tmp_path, 2)
    (tmp_path / "journal.db").rename(tmp_path / "away.db")
    await used(tmp_path, 3)
    shutil.copytree(tmp_path, tmp_path / "moved")
    await used(tmp_path / "moved", 4)


async def test_a_restored_copy_is_served_and_marked_on(tmp_path: Path) -> None:
    from relay.backup.restore import put_back as restore
    from relay.settings import Settings

    journal = SqliteJournal.open(tmp_path / "journal.db")
    await write(journal, 1)
    copy = copied(tmp_path)
    await write(journal, 2)
    await journal.close()
    silent: Any = lambda *_: None  # noqa: E731 (nobody watches)
    await asyncio.to_thread(restore, Settings(data=tmp_path), copy, silent, replace=True)
    await used(tmp_path, 3)
    put_back(tmp_path)
    with pytest.raises(JournalError, match="put in its place by hand"):
        SqliteJournal.open(tmp_path / "journal.db")
