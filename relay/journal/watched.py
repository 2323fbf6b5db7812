"""Rows of shared sheets that are read again and again: what each asked for, and what was written beside it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from .batches import RowTask
from .model import Entry

CLIENT = "sheet:"
"""Who asks for a sheet's tasks: this and the sheet's name; the name alone is their batch."""
WatchedState = Literal["taking", "taken", "waiting", "invalid", "changed"]
"""``taking``: written down, and about to become a task; its error says why it may have been paid for already.
``taken``: ``task_id`` is its task. ``waiting``: the sheet may spend no more now. ``invalid``: cannot be asked for.
``changed``: asked for before with other content."""


class WatchedRow(Struct, kw_only=True):
    """One row, known by the id in its helper column. Times are Unix seconds."""

    sheet: str
    """The sheet's name in the settings."""
    id: str
    identity: str
    version: str
    workflow: str
    request: str
    """The body of the create (JSON), as it was when the row was taken."""
    facts: str
    """What recipes see as ``row`` (JSON)."""
    state: WatchedState
    error: str = ""
    task_id: str | None = None
    written: dict[str, str] = {}
    """What is known to stand in its cells because we wrote it, as text, by the result's name."""
    pending: dict[str, str] = {}
    """What was sent last and may stand there."""
    held: dict[str, str] = {}
    """What a person wrote there instead; it is left alone."""
    done: bool = False
    """Its task has ended, and all of it is written."""
    updated_at: float = 0.0


class WatchedTask(NamedTuple):
    """How the task of a row stands."""

    row_id: str
    task: RowTask


class Spending(NamedTuple):
    """A task that a sheet asked for, as it was last told."""

    workflow: str
    request: str
    status: str
    observed: str | None


class WatchedStore(Protocol):
    """The rows of watched sheets."""

    async def rows(self, sheet: str) -> list[WatchedRow]:
        """All that were ever seen in it."""
        ...

    async def put(self, rows: Sequence[WatchedRow], history: Sequence[Entry] = ()) -> None:
        """Write rows, or write them anew, with lines for their tasks' history in the same transaction; durable when
        this returns."""
        ...

    async def memory(self, sheet: str) -> bytes | None:
        """What was kept for it by :meth:`remember`."""
        ...

    async def remember(self, sheet: str, memory: bytes) -> None:
        """Keep this in place of what was kept before; durable when this returns."""
        ...

    async def open(self, sheet: str) -> list[WatchedTask]:
        """The tasks of rows that are not done, or whose task has moved since."""
        ...

    async def spending(self, sheet: str, since: float) -> list[Spending]:
        """The tasks that were made for it since then."""
        ...
