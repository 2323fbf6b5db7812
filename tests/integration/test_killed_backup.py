"""Killed at any moment: a copy is whole or not there, and a journal is the old one or the new one."""

import asyncio
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from relay.backup.restore import put_back
from relay.backup.take import take
from relay.journal import SqliteJournal
from relay.settings import Settings
from tests.forks import dying, forks
from tests.unit.test_backup import VIDEO, fill

SEEDS = 40


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def warm() -> None:
    """Imports are not what is counted."""


def killed_work(work: str, data: str, folder: str, moment: int) -> None:
    """Take a copy or put one back, and die at a moment."""
    settings = Settings(data=Path(data))
    with dying(moment):
        if work == "take":
            take(settings, Path(folder), silent)
        else:
            put_back(settings, Path(folder), silent, replace=True)


def a_folder(folder: Path) -> Path:
    asyncio.run(fill(folder))
    (folder / "media" / "task_1").mkdir(parents=True)
    (folder / "media" / "task_1" / "r1-0.mp4").write_bytes(VIDEO)
    return folder


def moments(work: str, data: Path, folder: Path) -> int:
    """How many there are in a life that is not cut short."""
    ended = forks().call(f"{__name__}:killed_work", work=work, data=str(data), folder=str(folder), moment=0)
    return int(ended.lines[0])


def drawn(seed: int, most: int) -> int:
    """Half of them among the last, where the work is made visible."""
    return random.Random(seed).randint(1 if seed % 2 else most - 12, most)


def test_a_copy_is_whole_or_not_there(tmp_path: Path) -> None:
    data = a_folder(tmp_path / "data")
    most = moments("take", data, tmp_path / "first")
    killed = 0
    for seed in range(SEEDS):
        copy = tmp_path / f"copy{seed}"
        order = {"work": "take", "data": str(data), "folder": str(copy), "moment": drawn(seed, most)}
        killed += forks().call(f"{__name__}:killed_work", **order).code == -signal.SIGKILL
        if not copy.exists():
            take(Settings(data=data), copy, silent)  # what was left over is no hindrance
        assert whole(copy), f"seed {seed}"
        assert not list(tmp_path.glob(".*.part")), f"seed {seed}"
        shutil.rmtree(copy)
    assert killed >= SEEDS * 3 // 4, "the last moments may not come: no two lives are quite the same"


def whole(copy: Path) -> bool:
    with closing(sqlite3.connect(copy / "journal.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT state FROM operations").fetchall() == [("queued",)]
    assert (copy / "backup.json").stat().st_size > 0
    return (copy / "media" / "task_1" / "r1-0.mp4").read_bytes() == VIDEO


def test_a_journal_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    take(Settings(data=a_folder(tmp_path / "past")), tmp_path / "copy", silent)
    present = a_folder(tmp_path / "present")
    asyncio.run(paid(present))
    (present / "media" / "task_1" / "r1-0.mp4").unlink()
    shutil.copytree(present, tmp_path / "whole")
    most = moments("restore", tmp_path / "whole", tmp_path / "copy")
    ends: list[str] = []
    killed = 0
    for seed in range(SEEDS):
        data = tmp_path / str(seed)
        shutil.copytree(present, data)
        order = {"work": "restore", "data": str(data), "folder": str(tmp_path / "copy"), "moment": drawn(seed, most)}
        killed += forks().call(f"{__name__}:killed_work", **order).code == -signal.SIGKILL
        assert (data / "journal.db").exists(), f"seed {seed}: a start would make an empty journal"
        ends.append(state(data))
        assert ends[-1] in ("accepted", "unconfirmed"), f"seed {seed}: never sent, whichever journal it is"
        put_back(Settings(data=data), tmp_path / "copy", silent, replace=True)
        assert state(data) == "unconfirmed"
        assert (data / "media" / "task_1" / "r1-0.mp4").read_bytes() == VIDEO
        assert not list(data.glob(".journal.db.part*"))
        shutil.rmtree(data)
    assert killed >= SEEDS * 3 // 4, "the last moments may not come: no two lives are quite the same"
    assert set(ends) == {"accepted", "unconfirmed"}, "kills fell before and after the moment that counts"


async def paid(folder: Path) -> None:
    """What the copy has not seen."""
    journal = SqliteJournal.open(folder / "journal.db")
    await journal.write(lambda connection: connection.execute("UPDATE operations SET state = 'accepted'") and None)
    await journal.close()


def state(data: Path) -> str:
    """The operation's, in the journal as a relay opens it."""

    async def look() -> str:
        journal = SqliteJournal.open(data / "journal.db")
        try:
            return (await journal.tasks.operations("task_1"))[0].state
        finally:
            await journal.close()

    return asyncio.run(look())
