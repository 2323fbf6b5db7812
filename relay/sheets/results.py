"""What is written back beside each row, and where: results never touch a cell that a person wrote."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from .columns import RESULTS, ROW_ID, Columns
from .table import Table

_TRIGGERS = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What starts a formula somewhere; the last four are full-width forms of the first."""

_WITHOUT_TASK = ("status", "error")
"""What a row without a task is told. Its other cells may hold what an earlier one brought, which stays."""

Cell = str | Decimal | int | None
"""What a result cell holds: text, a number, or nothing."""


class Result(Struct, kw_only=True):
    """What became of one row."""

    status: str
    video_url: str = ""
    credits: Decimal | None = None
    task_id: str = ""
    error: str = ""
    finished_at: str = ""
    """ISO 8601, UTC."""


class Placement(Struct):
    """Which column each result goes to. Those in ``new`` have no column yet: their title is written too."""

    columns: dict[str, int]
    new: dict[str, int]


def place(table: Table, columns: Columns) -> Placement:
    """Columns of an earlier run are used again; the others go to the right of everything."""
    known = {name: column for name, column in columns.results.items() if name in RESULTS}
    width = max((len(line.cells) for line in table.lines), default=0)
    while width and not any(table.cell(line, width - 1) for line in table.lines):
        width -= 1
    missing = [name for name in RESULTS if name not in known]
    new = {name: width + index for index, name in enumerate(missing)}
    return Placement({**known, **new}, new)


def cells_of(table: Table, columns: Columns, results: Mapping[int, Result]) -> dict[int, dict[int, Cell]]:
    """``{row number: {column: value}}`` of everything to write, titles included."""
    placed = place(table, columns)
    written: dict[int, dict[int, Cell]] = {}
    if placed.new:
        written[columns.header.number] = {column: title_of(name) for name, column in placed.new.items()}
    for number, result in sorted(results.items()):
        written[number] = {
            column: getattr(result, name)
            for name, column in placed.columns.items()
            if result.task_id or name in placed.new or name in _WITHOUT_TASK
        }
    return written


def harmless(text: str) -> str:
    """Text that no spreadsheet program takes for a formula when it opens a CSV."""
    bare = text.lstrip(" \u00a0")
    return f"'{text}" if bare.startswith(_TRIGGERS) else text


def title_of(name: str) -> str:
    """How the column of a result is headed."""
    return {
        "video_url": "Video URL",
        "task_id": "Task ID",
        "finished_at": "Finished at",
        ROW_ID: "beatrelay_id",
    }.get(name, name.capitalize())
