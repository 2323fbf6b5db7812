"""Whether the store under a journal works: known from the last attempt, and logged when it changes, not at each."""

import logging
import sqlite3
import time
from typing import Literal

from .base import JournalError, Unavailable

log = logging.getLogger("beatrelay")

_FULL = "the disk is full; make room on it"
_READ_ONLY = "the file or its file system is read-only; mount it for writing, or give the file to the relay's user"
_HELD = "another program holds it locked; end that program"
_DAMAGED = "the file is damaged; stop the relay, and move it away or restore it from a backup"
_SAYS = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: "the disk fails; look at its space, its health and the system's log",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened; look at the folder, its owner and its disk",
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def trouble_of(error: sqlite3.Error) -> str | None:
    """What is wrong with the store, and what to do; ``None`` if ``error`` is of another kind."""
    return _SAYS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the kind


QUIET = 60.0
"""Seconds after "it works again" that a new failure must outlast to be logged: on a disk with a little room, small
writes work and large ones do not, in turn."""


class Condition:
    """Of one way to use the journal. Used by the threads that use it that way."""

    def __init__(self, way: Literal["read", "written"]) -> None:
        self._way = way
        self._since = 0.0
        self._again = -QUIET
        self._told = False
        self.trouble: str | None = None
        """What is wrong and what to do, from the first attempt that fails until one works."""

    def failed(self, error: Exception) -> Exception:
        """An attempt failed; gives what its caller is to be told. Only the store's own troubles are remembered."""
        if not isinstance(error, sqlite3.Error):
            return error
        says = trouble_of(error)
        if says is None:
            told = JournalError(f"the journal could not be {self._way} ({error})")
        else:
            told = Unavailable(f"the journal cannot be {self._way} ({error}): {says}")
            self._remember(str(told))
        return told

    def worked(self) -> None:
        """An attempt came through."""
        if self.trouble is None:
            return
        self.trouble = None
        if self._told:
            self._told, self._again = False, time.monotonic()
            log.warning("the journal can be %s again, after %.0f s", self._way, self._again - self._since)

    def _remember(self, trouble: str) -> None:
        now = time.monotonic()
        if self.trouble is None:
            self._since = now
        if not self._told and now >= self._again + QUIET:
            self._told = True
            log.error("%s. Until it works nothing is taken in; then the relay goes on by itself", trouble)
        self.trouble = trouble
