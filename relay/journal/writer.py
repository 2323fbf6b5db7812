"""The one writer of a SQLite journal: a thread that turns many small writes into few durable commits.

Group commit: while one commit waits for the disk, the next writes queue up, and all of them share the commit
that follows. A caller's future resolves only after that commit, so an answered write is on disk.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from .base import JournalError, Unavailable
from .condition import Condition
from .mark import Mark

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], Any]
Many = Callable[[sqlite3.Connection, list[Any]], list[Any]]


class _Job(NamedTuple):
    many: Many
    item: Any
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    lasting: bool


class _Failed(NamedTuple):
    """A write's own error, on its way back to the caller."""

    error: BaseException


MOST_PER_COMMIT = 512
"""Writes that may share one commit: bounds how long the first of them waits for the last."""
PROBE_EVERY = 1.0
"""Seconds between two looks, when nothing else is to be written, whether writing works again."""


class Writer:
    """Owns the journal's only writing connection, and so every checkpoint too."""

    def __init__(self, connection: sqlite3.Connection, mark: Mark) -> None:
        self._connection = connection
        self._mark = mark
        self._marked = 0
        self._lasting: bool = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self.last_commit_at = time.time()
        self.commits = 0
        self.condition = Condition("written")
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[sqlite3.Connection], T], *, lasting: bool = True) -> "asyncio.Future[T]":
        """Queue ``write``; the future has its result once it is durable, or the exception it raised.

        What is not ``lasting`` is not waited for until it is on the disk: it survives the end of this process, but a
        power cut may undo it, until the next lasting write. It goes behind the lasting ones that wait beside it, and
        shares their commit.

        ``write`` runs inside a transaction that others share: it must check before it changes anything, so
        that raising leaves nothing half done.
        """
        return self.submit_to(_each, write, lasting=lasting)

    def submit_to(self, many: Many, item: Any, *, lasting: bool = True) -> "asyncio.Future[Any]":
        """Queue ``item`` for ``many``, which gets all neighbouring items at once and returns a result for each:
        what comes in hundreds costs one statement, not hundreds."""
        if self._closed:
            raise JournalError("the journal is closed; nothing more can be written")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put(_Job(many, item, future, loop, lasting))
        return future

    async def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                first = self._jobs.get(timeout=PROBE_EVERY if self.condition.trouble else None)
            except queue.Empty:
                self._probe()
                continue
            if first is None:
                break
            batch, last = self._drain(first)
            batch.sort(key=attrgetter("lasting"), reverse=True)
            self._commit(batch)
            if last:
                break
        self._leave()
        self._connection.close()

    def _leave(self) -> None:
        """Let the mark tell of what was written since it rose last."""
        if self.commits > self._marked:
            with contextlib.suppress(JournalError, sqlite3.Error):  # without, it only tells less
                self._transact([], last=True)

    def _drain(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < MOST_PER_COMMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        try:
            results = self._transaction(batch)
        except Unavailable as error:  # the store's trouble is everybody's
            results = [_Failed(Unavailable(str(error))) for _ in batch]
        except Exception as error:  # what a write raises is its own; the thread serves the others
            # One write must not take its neighbours down: alone, each meets its own fate.
            results = [self._alone(job) for job in batch] if len(batch) > 1 else [_Failed(error)]
        _resolve(batch, results)

    def _probe(self) -> None:
        """See whether writing works again: those who wait until it does write nothing."""
        with contextlib.suppress(JournalError):  # it has been remembered
            self._transact([])

    def _transaction(self, batch: list[_Job]) -> list[Any]:
        return self._transact(
            [(many, [job.item for job in jobs]) for many, jobs in groupby(batch, key=attrgetter("many"))],
            lasting=batch[0].lasting,
        )

    def _transact(
        self, changes: list[tuple[Many, list[Any]]], *, last: bool = False, lasting: bool = True
    ) -> list[Any]:
        results: list[Any] = []
        try:
            self._undo()  # of an earlier one, which could not even be undone
            if lasting is not self._lasting:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if lasting else 'NORMAL'}")
                self._lasting = lasting
            self._connection.execute("BEGIN IMMEDIATE")
            if self.condition.trouble:  # a transaction that writes nothing proves nothing
                _touch(self._connection)
            for many, items in changes:
                results += many(self._connection, items)
            rises = last or (lasting and bool(changes) and self._mark.due)  # what a power cut undoes is not to be told
            if rises:
                self._mark.rise(self._connection)
            self._connection.execute("COMMIT")
        except Exception as error:  # raised again: whatever it was, nothing of it may stay
            with contextlib.suppress(sqlite3.Error):
                self._undo()
            told = self.condition.failed(error)
            if told is error:
                raise
            raise told from error
        self.last_commit_at = time.time()
        self.commits += 1
        if rises:
            self._mark.show()
            self._marked = self.commits
        self.condition.worked()
        return results

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _alone(self, job: _Job) -> Any:
        try:
            return self._transaction([job])[0]
        except Exception as error:  # whatever it is, it is the caller's
            return _Failed(error)


def _touch(connection: sqlite3.Connection) -> None:
    """Write one page as it is."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version}")


def _each(connection: sqlite3.Connection, writes: list[Write]) -> list[Any]:
    """Ordinary writes, one after the other."""
    results: list[Any] = []
    for write in writes:
        try:
            results.append(write(connection))
        except sqlite3.Error:
            raise
        except Exception as error:  # the caller's own error (a Conflict, say) travels back to the caller
            results.append(_Failed(error))
    return results


def _resolve(batch: list[_Job], results: list[Any]) -> None:
    for loop in {job.loop for job in batch}:
        mine = [(job.future, result) for job, result in zip(batch, results, strict=True) if job.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle, mine)
        except RuntimeError:  # the loop has ended: its callers are gone, their writes are on disk
            continue


def _settle(settled: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, result in settled:
        if future.done():  # the caller was cancelled; the write stands
            continue
        if isinstance(result, _Failed):
            future.set_exception(result.error)
        else:
            future.set_result(result)
