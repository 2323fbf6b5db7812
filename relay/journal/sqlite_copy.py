"""Copies of a journal: taken while it is in use, looked through, and put in the place of another, on SQLite."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from .base import JournalError
from .folder import take
from .mark import Mark
from .migrations import migrations
from .restored import Held, Restored
from .sqlite import refuse_newer
from .sqlite_restore import hold

PAGES = 2000
"""Pages that are copied between two words on how far it is."""
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file in use, by the end of its name."""

Progress = Callable[[int, int], None]
"""(bytes copied, bytes in all)"""


class StoredFile(NamedTuple):
    """A file that the journal says is in the media store: its path there, bytes, SHA-256 (hex)."""

    path: str
    size: int
    sha256: str


def copy_journal(source: Path, target: Path, progress: Progress) -> None:
    """Copy the journal ``source`` as it stands at one moment, also while a relay serves on it, into the one file
    ``target``, and look through the copy. Raises :class:`JournalError`."""
    try:
        with closing(_reader(source)) as reader, closing(sqlite3.connect(target, isolation_level=None)) as writer:
            writer.execute("PRAGMA synchronous = OFF")  # it is flushed once, below
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            # from here on it sees one moment, and what is written meanwhile does not start the copy anew
            size = reader.execute("PRAGMA page_size").fetchone()[0]
            reader.backup(
                writer, pages=PAGES, progress=lambda _, left, pages: progress((pages - left) * size, pages * size)
            )
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, also where nothing can be written beside it
            _look_through(writer, source)
    except sqlite3.DatabaseError as error:
        raise JournalError(f"{source} cannot be copied: {error}") from error
    target.chmod(0o600)
    to_disk(target)


def stored_files(path: Path) -> list[StoredFile]:
    """What the media store must hold for the journal in the file ``path``, by path."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT path, size, sha256 FROM media ORDER BY path").fetchall()
    return [StoredFile(*row) for row in found]


def last_word(path: Path) -> float | None:
    """When the last line of the history in the file ``path`` was written (Unix seconds); ``None``: there is none."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT at FROM history ORDER BY seq DESC LIMIT 1").fetchone()
    return row[0] if row else None


def adapt(path: Path, restored: Restored, place: Path) -> Held:
    """Make the copy in the file ``path`` one that can be served as the journal ``place``: bring it to today's tables,
    hold what may have been sent since it was taken, and let it be taken for newer than what was there."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        migrations.apply(Database(connection))
        held = hold(connection, restored)
        Mark(place).rise(connection)
    to_disk(path)
    return held


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Keep every relay away from the journal at ``path``. Raises :class:`relay.journal.InUse` if one serves on it."""
    lock = take(path)
    try:
        yield
    finally:
        os.close(lock)


def swap_in(path: Path, new: Path, aside: Path) -> None:
    """Put the file ``new`` where the journal ``path`` is, and what was there under the name ``aside``. Killed at any
    moment, ``path`` is the one or the other, whole. Only inside :func:`alone`."""
    if path.exists():
        _close_up(path)
        _also_as(path, aside)
    for end in BESIDE:  # of a journal that is damaged, or was taken away by hand: it must not be read into the new one
        left = path.with_name(path.name + end)
        if left.exists():
            left.replace(aside.with_name(aside.name + end))
    new.replace(path)
    to_disk(path.parent)


def remove(path: Path) -> None:
    """Delete the file ``path`` and what SQLite keeps beside it, as far as they are there."""
    for end in ("", *BESIDE):
        path.with_name(path.name + end).unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Flush a file or a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _reader(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}")
    log = path.with_name(path.name + "-wal")
    lone = not log.exists() and not os.access(path.parent, os.W_OK)  # SQLite could not make its files beside it
    mode = "?mode=ro&immutable=1" if lone else "?mode=ro"
    return sqlite3.connect(path.resolve().as_uri() + mode, uri=True, isolation_level=None)


def _look_through(connection: sqlite3.Connection, source: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise JournalError(f"{source} is damaged: {'; '.join(found)}")
    if not migrations.applied(Database(connection)):
        raise JournalError(f"{source} is no journal of beatrelay")
    refuse_newer(connection, source)


def _close_up(path: Path) -> None:
    """Bring everything into the one file. A file that is too damaged for that is left as it is."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=2.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        raise JournalError(
            f"{path} is open in another program ({error}); close that (a `beatrelay why`, a browser of databases)"
            " and try again"
        ) from error
    except sqlite3.DatabaseError:
        return


def _also_as(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # some file systems have no second names
        shutil.copyfile(path, aside)
        to_disk(aside)
