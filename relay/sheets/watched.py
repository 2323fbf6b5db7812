"""A sheet that people and the relay write at once: which row is which, and what may be written where.

A row is known by the id in its helper column, never by where it stands: people sort, insert and delete while we work.
Pure: what was read goes in, what is to be written comes out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from .columns import RESULTS, ROW_ID, Columns, match
from .plan import PlannedRow, plan_rows
from .results import title_of
from .table import Line, Table
from .workbook import as_text

OURS = (*RESULTS, ROW_ID)
"""What the relay writes; everything else is the people's."""


class SeenRow(Struct, kw_only=True):
    """One row below the header, as it was read."""

    number: int
    values: dict[str, Any]
    """What stands in our columns, by name."""
    inputs: tuple[str, ...]
    """What stands in all others, trimmed."""
    plan: PlannedRow | None
    """What it asks for; ``None`` if it asks for nothing."""

    @property
    def id(self) -> str:
        return self.text(ROW_ID)

    def text(self, name: str) -> str:
        """One of our cells as text."""
        return plain(self.values.get(name, ""))


class Write(Struct, kw_only=True):
    """Values for one row. ``id`` and ``inputs`` say which one is meant, ``number`` where it stood when it was read."""

    number: int
    id: str
    inputs: tuple[str, ...]
    cells: dict[str, Any]


class View(Struct):
    """A whole sheet at one moment."""

    name: str
    columns: Columns
    places: dict[str, int]
    """The column of each of our values, those in ``missing`` too."""
    missing: list[str]
    """Ours that have no heading yet."""
    rows: list[SeenRow]

    def owners(
        self, versions: Mapping[str, str], tasks: Mapping[str, str | None], written: Collection[str]
    ) -> dict[str, SeenRow]:
        """Rows by id. ``versions`` and ``tasks``: what was asked for under an id, and what came of it; ``written``: ids
        whose row was seen to say so. Of several copies of a row, the one that still says what was asked for owns it,
        else the first that names its task; one that was copied, emptied and made into another song does not."""
        owners: dict[str, SeenRow] = {}
        for row_id, rows in self._by_id().items():
            wanted = versions.get(row_id)
            same = [row for row in rows if wanted is None or (row.plan and row.plan.fingerprint == wanted)]
            told = [row for row in rows if row.text("status") or row.text("task_id")]
            named = [row for row in told if row.text("task_id") == tasks.get(row_id)]
            mine = [row for row in same if row in told] or same or named or (told if len(told) == 1 else [])
            if mine or row_id not in written:
                owners[row_id] = (mine or rows)[0]
        return owners

    def _by_id(self) -> dict[str, list[SeenRow]]:
        found: dict[str, list[SeenRow]] = {}
        for row in self.rows:
            if row.id:
                found.setdefault(row.id, []).append(row)
        return found

    def addressed(self, writes: Iterable[Write]) -> dict[tuple[int, int], Any]:
        """Where the values go, by (row, column), with the headings that are missing."""
        cells: dict[tuple[int, int], Any] = {
            (self.columns.header.number, self.places[name]): title_of(name) for name in self.missing
        }
        for write in writes:
            for name, value in write.cells.items():
                cells[write.number, self.places[name]] = value
        return cells


def view_of(
    rows: Sequence[Sequence[Any]],
    top: int,
    left: int,
    name: str,
    mapping: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> View:
    """Understand what was read; ``top`` (from 1) and ``left`` (from 0) say where it begins. Raises
    :class:`SheetError`."""
    padding = [""] * left
    raw = [[*padding, *row] for row in rows]
    lines = [Line(number, [plain(cell) for cell in row]) for number, row in enumerate(raw, top)]
    table = Table(name, lines)
    columns = match(table, mapping)
    plans = {row.number: row for row in plan_rows(table, columns, defaults)}
    width = max((len(line.cells) for line in lines), default=0)
    missing = [name for name in OURS if name not in columns.results]
    places = columns.results | {name: width + index for index, name in enumerate(missing)}
    taken = set(places.values())
    seen = [
        SeenRow(
            number=line.number,
            values={name: row[column] if column < len(row) else "" for name, column in places.items()},
            inputs=_trimmed(cell.strip() for column, cell in enumerate(line.cells) if column not in taken),
            plan=plans.get(line.number),
        )
        for line, row in zip(lines, raw, strict=True)
        if line.number > columns.header.number
    ]
    return View(name, columns, places, missing, seen)


def plain(value: Any) -> str:
    """A cell as text; nothing is empty."""
    return "" if value is None else as_text(value).strip()


def _trimmed(cells: Iterable[str]) -> tuple[str, ...]:
    found = list(cells)
    while found and not found[-1]:
        found.pop()
    return tuple(found)
