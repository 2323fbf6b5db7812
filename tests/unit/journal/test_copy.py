"""Copies of a journal: one moment, whole, and only of what is one of ours."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.journal import InUse, JournalError, SqliteJournal, alone, copy_journal, last_word, sqlite_copy, swap_in
from tests.unit.journal.test_sqlite import entry, operation, task

pytestmark = pytest.mark.anyio


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def test_a_journal_that_is_written_to_is_copied_as_of_one_moment(
    journal: SqliteJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task and its line of history are one transaction: no copy has the one without the other. Writing all the while
    does not start the copy anew, or it would never end."""
    monkeypatch.setattr(sqlite_copy, "PAGES", 1)
    blob = "x" * 3000
    loop = asyncio.get_running_loop()
    for number in range(50):
        await journal.tasks.create(
            task(f"task_{number}", request=f'"{blob}"'), operation(f"task_{number}"), line(number)
        )
    steps: list[int] = []

    def write_more(done: int, _total: int) -> None:
        steps.append(done)
        assert len(steps) < 1000, "it is started anew, again and again"
        number = 1000 + len(steps)
        made = journal.tasks.create(task(f"task_{number}"), operation(f"task_{number}"), line(number))
        asyncio.run_coroutine_threadsafe(made, loop).result(10)

    target = tmp_path / "copy.db"
    await asyncio.to_thread(copy_journal, tmp_path / "journal.db", target, write_more)
    assert len(steps) > 20
    assert steps == sorted(steps), "it was started anew"
    assert rows(target, "SELECT count(*) FROM tasks") == [(50,)], "what came meanwhile is not in it"
    assert rows(target, "SELECT count(*) FROM history") == [(50,)]
    assert rows(target, "PRAGMA integrity_check") == [("ok",)]
    assert rows(target, "PRAGMA journal_mode") == [("delete",)]
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"], "a copy is one file"
    assert target.stat().st_mode & 0o777 == 0o600
    assert last_word(target) == 1.0


def line(number: int) -> Any:
    return entry(task_id=f"task_{number}")


async def test_a_copy_can_be_read_where_nothing_can_be_written(journal: SqliteJournal, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    copy_journal(tmp_path / "journal.db", shelf / "journal.db", silent)
    shelf.chmod(0o500)
    try:
        copy_journal(shelf / "journal.db", tmp_path / "again.db", silent)
    finally:
        shelf.chmod(0o700)
    assert sorted(path.name for path in shelf.iterdir()) == ["journal.db"]


@pytest.mark.parametrize(
    ("content", "words"), [(b"a diary " * 1000, "cannot be copied"), (b"", "no journal of beatrelay")]
)
async def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "other.db").write_bytes(content)
    with pytest.raises(JournalError, match=words):
        copy_journal(tmp_path / "other.db", tmp_path / "copy.db", silent)


async def test_a_database_of_something_else_a_newer_one_and_none_are_refused(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "songs.db")) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(JournalError, match="no journal of beatrelay"):
        copy_journal(tmp_path / "songs.db", tmp_path / "copy.db", silent)
    newer = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('beatrelay', 'm999_more', '')"
    await journal.write(lambda connection: connection.execute(newer) and None)
    with pytest.raises(JournalError, match="newer beatrelay"):
        copy_journal(tmp_path / "journal.db", tmp_path / "copy2.db", silent)
    with pytest.raises(JournalError, match="there is no journal"):
        copy_journal(tmp_path / "nowhere.db", tmp_path / "copy3.db", silent)


async def test_a_damaged_journal_is_told_and_not_taken_for_a_copy(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    for number in range(200):
        await journal.tasks.create(task(f"task_{number}"), operation(f"task_{number}"), line(number))
    await journal.close()
    content = bytearray((tmp_path / "journal.db").read_bytes())
    page = len(content) // 4096 // 2 * 4096
    content[page : page + 40 * 4096] = bytes(40 * 4096)
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(JournalError, match=r"is damaged|cannot be copied"):
        copy_journal(tmp_path / "journal.db", tmp_path / "copy.db", silent)


class TestSwap:
    async def two(self, folder: Path) -> tuple[Path, Path]:
        """A journal with one task, and a new one without any."""
        journal = SqliteJournal.open(folder / "journal.db")
        await journal.tasks.create(task(), operation(), entry())
        await journal.close()
        await SqliteJournal.open(folder / "new.db").close()
        return folder / "journal.db", folder / "new.db"

    async def test_the_old_one_is_kept_whole_with_all_that_stood_in_its_log(self, tmp_path: Path) -> None:
        path, new = await self.two(tmp_path)
        with closing(sqlite3.connect(path)) as unclean:
            unclean.execute("UPDATE tasks SET workflow = 'in the log'")
            unclean.commit()
            log = path.with_name("journal.db-wal").read_bytes()
            main = path.read_bytes()
        path.write_bytes(main)
        path.with_name("journal.db-wal").write_bytes(log)  # what a SIGKILL leaves
        swap_in(path, new, tmp_path / "aside.db")
        assert rows(path, "SELECT count(*) FROM tasks") == [(0,)]
        assert rows(tmp_path / "aside.db", "SELECT workflow FROM tasks") == [("in the log",)]
        assert not new.exists()

    async def test_one_that_is_too_damaged_goes_aside_too(self, tmp_path: Path) -> None:
        path, new = await self.two(tmp_path)
        path.write_bytes(b"not a database at all" * 500)
        path.with_name("journal.db-wal").write_bytes(b"its log")
        swap_in(path, new, tmp_path / "aside.db")
        assert rows(path, "SELECT count(*) FROM tasks") == [(0,)]
        assert (tmp_path / "aside.db").read_bytes().startswith(b"not a database")
        assert not path.with_name("journal.db-wal").exists()

    async def test_the_log_of_one_that_was_taken_away_by_hand_is_not_read_into_the_new_one(
        self, tmp_path: Path
    ) -> None:
        path, new = await self.two(tmp_path)
        path.unlink()
        path.with_name("journal.db-wal").write_bytes(b"its log")
        swap_in(path, new, tmp_path / "aside.db")
        assert not path.with_name("journal.db-wal").exists()
        assert rows(path, "SELECT count(*) FROM tasks") == [(0,)]

    async def test_while_another_program_reads_the_old_one_nothing_changes(self, tmp_path: Path) -> None:
        path, new = await self.two(tmp_path)
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM tasks").fetchone()
            with pytest.raises(JournalError, match="open in another program"):
                swap_in(path, new, tmp_path / "aside.db")
        assert rows(path, "SELECT count(*) FROM tasks") == [(1,)]
        assert new.exists()

    async def test_where_files_have_one_name_only_the_old_one_is_copied_aside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, new = await self.two(tmp_path)

        def refuse(*_: Any) -> None:
            raise OSError(1, "no second names here")

        monkeypatch.setattr("os.link", refuse)
        swap_in(path, new, tmp_path / "aside.db")
        assert rows(tmp_path / "aside.db", "SELECT count(*) FROM tasks") == [(1,)]
        assert rows(path, "SELECT count(*) FROM tasks") == [(0,)]


async def test_no_relay_and_no_second_restore_gets_in_meanwhile(journal: SqliteJournal, tmp_path: Path) -> None:
    with pytest.raises(InUse), alone(tmp_path / "journal.db"):
        pass
    with alone(tmp_path / "other.db"), pytest.raises(InUse):
        SqliteJournal.open(tmp_path / "other.db")
