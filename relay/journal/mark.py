"""Tells a copy that was put back by hand from the journal that was there.

A number in the journal rises while it is in use, and its last value stands in a file beside it. The number is on disk
in the journal before the file has it, so whatever is killed or loses power, the file is never ahead, unless the journal
has gone back in time.
"""

import contextlib
import sqlite3
import time
from pathlib import Path

from .base import JournalError

EVERY = 60.0
"""Seconds between two rises at least, and so how much older a copy must be to be told for sure."""


class Mark:
    """The mark of the journal at ``path``. Everything but :meth:`seen` is the writer's, or comes before it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.with_name(f"{path.name}.mark")
        self._number = 0
        self._due_at = 0.0

    def seen(self) -> int:
        """The last number that was written beside the journal; 0 if there is none that can be read."""
        with contextlib.suppress(OSError, ValueError):
            return int(self._file.read_text(encoding="ascii"))
        return 0

    def refuse_older(self, connection: sqlite3.Connection) -> None:
        """Raises :class:`JournalError` if the journal is older than the one that was last in use here."""
        self._number = connection.execute("PRAGMA user_version").fetchone()[0]
        if self._number < self.seen():
            raise JournalError(
                f"{self._path} is older than the journal that was last in use here, so a copy was put in its place by"
                " hand. What was paid for and delivered since is not in it; `beatrelay restore"
                f" {self._path} --replace` holds that for you to decide. To start with it as it is, and pay again for"
                f" what was queued in it, delete {self._file}"
            )

    @property
    def due(self) -> bool:
        """Whether the number has been the same for long enough."""
        return time.monotonic() >= self._due_at

    def rise(self, connection: sqlite3.Connection) -> None:
        """Raise the number, in the transaction of ``connection``; :meth:`show` it only once that is durable."""
        self._number = max(self._number, self.seen()) + 1
        connection.execute(f"PRAGMA user_version = {self._number}")

    def show(self) -> None:
        """Write the number beside the journal."""
        self._due_at = time.monotonic() + EVERY
        unfinished = self._file.with_name(f".{self._file.name}.part")
        with contextlib.suppress(OSError):  # one that is behind only tells less
            unfinished.write_text(f"{self._number}\n", encoding="ascii")
            unfinished.replace(self._file)
