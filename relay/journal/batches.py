"""Batches and their rows: what a sheet asks for, and which task each row became."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

BatchState = Literal["planned", "running", "completed"]
RowState = Literal["new", "known", "changed", "failed", "invalid", "twin"]
"""``new``: to be asked for. ``known``: asked for before, its task says how it stands. ``changed``: asked for before
with other content. ``failed``: asked for before, and it failed. ``twin``: another row of the sheet is the same."""


class BatchRow(Struct, kw_only=True):
    """A sheet that somebody gave us. Times are Unix seconds."""

    id: str
    client: str
    name: str
    """The file's name."""
    sheet: str
    """The sheet's name; empty for a CSV."""
    digest: str
    """SHA-256 (hex) of the file as it was read."""
    state: BatchState
    columns: str
    """How its columns were understood (JSON)."""
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    priority: int = 0
    tags: str = "[]"
    recipes: str = "[]"
    """Names of the recipes that alone hear of it (JSON array); empty: all that fit."""


class SheetRow(Struct, kw_only=True):
    """One row of a batch."""

    batch_id: str
    number: int
    """Its number in the sheet."""
    identity: str
    version: str
    """Its content: one identity and version make one task, ever."""
    workflow: str
    request: str
    """The body of the create (JSON)."""
    facts: str
    """What recipes see as ``row`` (JSON)."""
    state: RowState
    problems: str = "[]"
    uploads: str = "[]"
    task_id: str | None = None
    hidden: bool = False
    """Whether nobody sees it in a spreadsheet program: hidden, or left out by a filter."""


class Known(Struct):
    """A task that a row became earlier."""

    identity: str
    version: str
    task_id: str
    status: str


class RowTask(Struct):
    """How the task of a row stands."""

    number: int
    task_id: str
    status: str
    observed: str | None
    created_at: float
    finished_at: float | None
    confirmed: bool
    archiving: bool = False
    """Its files are still on their way into the store."""
    media: str | None = None
    """``<id>/<name>`` of its first stored file."""


class BatchStore(Protocol):
    """What sheets asked for."""

    async def add(self, batch: BatchRow, rows: Sequence[SheetRow]) -> None:
        """Write a planned batch down, whole."""
        ...

    async def get(self, batch_id: str) -> BatchRow | None: ...

    async def recent(self, limit: int, before: str | None = None) -> list[BatchRow]:
        """Newest first; ``before`` is the last id of the page before."""
        ...

    async def running(self) -> list[BatchRow]:
        """Batches that were started and are not completed."""
        ...

    async def rows(self, batch_id: str) -> list[SheetRow]: ...

    async def page(
        self,
        batch_id: str,
        limit: int,
        after: int = 0,
        *,
        states: Sequence[RowState] = (),
        statuses: Sequence[str] = (),
    ) -> list[SheetRow]:
        """Rows in order, ``after`` the last number of the page before: of these ``states``, and of those whose task
        has one of these ``statuses``."""
        ...

    async def known(self, identities: Sequence[str]) -> list[Known]:
        """Every task that these identities ever became, the oldest first."""
        ...

    async def start(self, batch_id: str, rows: Sequence[SheetRow], now: float) -> bool:
        """Make a planned batch run, with ``rows`` as they shall be. False: it was started before."""
        ...

    async def amend(self, batch_id: str, rows: Sequence[SheetRow]) -> bool:
        """Write these rows of a planned batch anew. False: it was started before."""
        ...

    async def submitted(self, batch_id: str, tasks: Mapping[int, str]) -> None:
        """Which task each row (by number) became."""
        ...

    async def complete(self, batch_id: str, now: float) -> bool:
        """End a running batch. False: somebody else did."""
        ...

    async def tasks(self, batch_id: str, numbers: Sequence[int] | None = None) -> list[RowTask]:
        """How the tasks of its rows stand, in order of the rows: of all, or of those with these numbers."""
        ...
