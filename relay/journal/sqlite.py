"""The journal on SQLite: one file, one writer, many readers.

SQLite 3.7.0 to 3.51.2 can corrupt a WAL when two connections write or checkpoint at once. So the one writer
connection owns every write and every checkpoint, and a lock file keeps a second relay out of the same folder.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from .base import JournalError
from .condition import Condition, trouble_of
from .folder import take
from .mark import Mark
from .migrations import migrations
from .migrations.lanes import NOT_OVER, PARKED_OR_LEASED
from .model import Pulse
from .restored import Restored
from .sqlite_batches import SqliteBatches
from .sqlite_connections import SqliteConnections
from .sqlite_deliveries import SqliteDeliveries
from .sqlite_dismissals import SqliteDismissals
from .sqlite_endpoints import SqliteEndpoints
from .sqlite_events import SqliteEvents
from .sqlite_keys import SqliteKeys
from .sqlite_lanes import SqliteLanes, oldest_due, park
from .sqlite_ledger import SqliteLedger
from .sqlite_notes import SqliteNotes
from .sqlite_occasions import SqliteOccasions
from .sqlite_people import SqlitePeople
from .sqlite_queue import SqliteQueue
from .sqlite_receipts import SqliteReceipts
from .sqlite_recipes import SqliteRecipes
from .sqlite_restore import last_restore
from .sqlite_retention import forget
from .sqlite_sealed import SqliteSealed, sample
from .sqlite_secrets import SqliteSecrets
from .sqlite_tasks import SqliteTasks
from .sqlite_watched import SqliteWatched
from .writer import Many, Writer

T = TypeVar("T")
Read = Callable[[sqlite3.Connection], T]


class SqliteJournal:
    """A journal in one SQLite file. Open it with :meth:`open` (a relay) or :meth:`inspect` (a reader)."""

    def __init__(self, path: Path, writer: Writer | None, lock: int | None) -> None:
        self.restored: Restored | None = None
        self._path = path
        self._writer = writer
        self._lock = lock
        self._opened_at = time.time()
        self._reading = Condition("read")
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="journal-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self.watched = SqliteWatched(self)
        self.receipts = SqliteReceipts(self)
        self.tasks = SqliteTasks(self)
        self.deliveries = SqliteDeliveries(self)
        self.dismissals = SqliteDismissals(self)
        self.ledger = SqliteLedger(self)
        self.queue = SqliteQueue(self)
        self.batches = SqliteBatches(self)
        self.notes = SqliteNotes(self)
        self.lanes = SqliteLanes(self)
        self.occasions = SqliteOccasions(self)
        self.sealed = SqliteSealed(self)
        self.keys = SqliteKeys(self)
        self.connections = SqliteConnections(self)
        self.endpoints = SqliteEndpoints(self)
        self.events = SqliteEvents(self)
        self.people = SqlitePeople(self)
        self.secrets = SqliteSecrets(self)
        self.recipes = SqliteRecipes(self)

    @classmethod
    def open(cls, path: Path) -> "SqliteJournal":
        """Open for a relay: make or migrate the file, take the lock, hand back what a dead relay held.

        Raises :class:`InUse` when another relay has it, :class:`JournalError` when the file is not one of ours or
        cannot be written.
        """
        lock = take(path)
        try:
            mark = Mark(path)
            connection = _connect_writer(path, mark)
            restored, sealed = last_restore(connection), bool(sample(connection))
        except BaseException:
            os.close(lock)
            raise
        journal = cls(path, Writer(connection, mark), lock)
        journal.restored, journal.sealed.at_start = restored, sealed
        return journal

    @classmethod
    def inspect(cls, path: Path) -> "SqliteJournal":
        """Open for reading only, also while a relay is running."""
        if not path.exists():
            raise JournalError(f"there is no journal at {path}; start the relay once, or name its folder")
        return cls(path, None, None)

    async def write(self, change: Callable[[sqlite3.Connection], T], *, lasting: bool = True) -> T:
        """Run ``change`` in the next transaction; returns when it is durable. Not ``lasting``: when it would survive
        the end of this process, if not a power cut."""
        if self._writer is None:
            raise JournalError("this journal was opened for reading only")
        return await self._writer.submit(change, lasting=lasting)

    async def write_to(self, many: Many, item: Any) -> Any:
        """Hand ``item`` to ``many`` together with its neighbours in the next transaction."""
        if self._writer is None:
            raise JournalError("this journal was opened for reading only")
        return await self._writer.submit_to(many, item)

    async def read(self, query: Read[T]) -> T:
        """Run ``query`` on a reader's own connection; sees everything committed before the call."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, query)

    async def least(self, sql: str) -> float | None:
        """The one number that ``sql`` finds, or ``None``."""
        return await self.read(lambda connection: connection.execute(sql).fetchone()[0])

    async def pulse(self) -> Pulse:
        return await self.read(_pulse)

    async def forget(self, before: float, limit: int) -> int:
        return await self.write(lambda connection: forget(connection, before, limit))

    def last_commit_at(self) -> float:
        return self._writer.last_commit_at if self._writer else self._opened_at

    @property
    def trouble(self) -> str | None:
        return (self._writer.condition.trouble if self._writer else None) or self._reading.trouble

    @property
    def alive(self) -> bool:
        """False once the writer's thread has ended: nothing would be written any more."""
        return self._writer is None or self._writer.alive

    async def close(self) -> None:
        # Readers go first: the writer's connection must be the last one, for the last one checkpoints.
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        if self._writer is not None:
            await self._writer.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _read(self, query: Read[T]) -> T:
        try:
            result = query(self._reader())
        except sqlite3.Error as error:
            raise self._reading.failed(error) from error
        self._reading.worked()
        return result

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._local.connection = connection
            self._connections.append(connection)
        return connection


def _connect_writer(path: Path, mark: Mark) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.row_factory = sqlite3.Row
        refuse_newer(connection, path)
        if migrations.applied(Database(connection)):  # a new journal is nobody's copy
            mark.refuse_older(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA cache_size = -16000")  # KiB: what a busy hour touches is not read again and again
        migrations.apply(Database(connection))
        hand_back(connection, time.time(), mark)
    except sqlite3.DatabaseError as error:
        connection.close()
        what_to_do = trouble_of(error) or "move it away or restore it from a backup"
        raise JournalError(f"{path} cannot be used as a journal ({error}): {what_to_do}") from error
    except JournalError:
        connection.close()
        raise
    path.chmod(0o600)
    return connection


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raises :class:`JournalError` for a journal of a newer relay: an older one knows nothing of what that remembers,
    and would spend or send by half of it."""
    known = {step.name for step in migrations.pending(Database(memory=True))}  # an empty journal needs them all
    unknown = [step.name for step in migrations.applied(Database(connection)) if step.name not in known]
    if unknown:
        raise JournalError(
            f"{path} was written by a newer beatrelay (it has {', '.join(unknown)}, which this one does not know);"
            " install that version again. Nothing was changed"
        )


def hand_back(connection: sqlite3.Connection, now: float, mark: Mark | None = None) -> None:
    """We hold the lock, so whoever held a lease is gone: its work is due now, not when the lease runs out."""
    connection.execute("BEGIN IMMEDIATE")
    if mark is not None:
        mark.rise(connection)
    connection.execute(
        f"UPDATE deliveries SET state = 'due', due_at = ? WHERE {PARKED_OR_LEASED} AND state = 'leased'",  # noqa: S608 (ours)
        (now,),
    )
    park(connection)
    connection.execute("UPDATE operations SET due_at = ? WHERE due_at IS NOT NULL AND state = 'sending'", (now,))
    connection.execute("UPDATE tasks SET next_poll_at = ? WHERE next_poll_at > ?", (now, now))
    connection.execute("COMMIT")
    if mark is not None:
        mark.show()


def _pulse(connection: sqlite3.Connection) -> Pulse:
    one = connection.execute(
        f"""
        SELECT (SELECT min(next_poll_at) FROM tasks WHERE next_poll_at IS NOT NULL) AS oldest_due_poll,
               (SELECT min(due_at) FROM operations WHERE state = 'sending') AS oldest_due_operation,
               (SELECT min(due_at) FROM operations WHERE state = 'queued') AS oldest_waiting_operation,
               (SELECT count(*) FROM operations WHERE state = 'queued') AS waiting,
               (SELECT count(*) FROM tasks WHERE next_poll_at IS NOT NULL) AS open_tasks,
               (SELECT count(*) FROM operations WHERE state = 'unconfirmed') AS unconfirmed,
               (SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL)
                 + (SELECT count(*) FROM deliveries WHERE {NOT_OVER} AND state IN ('waiting', 'parked'))
                 AS pending_deliveries,
               (SELECT count(*) FROM deliveries WHERE {NOT_OVER} AND state = 'dead') AS dead_deliveries
        """  # noqa: S608 (ours)
    ).fetchone()
    return Pulse(**dict(one), oldest_due_delivery=oldest_due(connection))
