"""A spreadsheet as text: what all formats have in common once read."""

import re

from msgspec import Struct, field

REFERENCE = re.compile(r"([A-Z]+)(\d+)")
"""A cell as a workbook names it, ``C7``."""


UNSEEN = frozenset("\u00ad\u200b\u200e\u200f\u2060\ufeff")
"""Characters that nobody sees, and that travel along when text is copied from a page."""


class SheetError(Exception):
    """A file that cannot be read as a table; the message says why and what to do."""


class Line(Struct):
    """One row. ``number`` is what a spreadsheet program shows beside it, counted from 1."""

    number: int
    cells: list[str]

    @property
    def blank(self) -> bool:
        """Whether nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


class Table(Struct):
    """The cells of one sheet. ``name`` is the sheet's, empty for a CSV; ``others`` are the visible ones beside it."""

    name: str
    lines: list[Line]
    others: list[str] = field(default_factory=list[str])
    links: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    """Where cells lead to that show something else, by row (from 1) and column (from 0)."""
    hidden: set[int] = field(default_factory=set[int])
    """Numbers of rows that nobody sees in a spreadsheet program; as far as the format is read for it."""

    def cell(self, line: Line, column: int) -> str:
        """The text at ``column`` (from 0), trimmed; empty where the row is shorter."""
        return line.cells[column].strip() if column < len(line.cells) else ""


def letters(column: int) -> str:
    """The name of a column, counted from 0: ``0`` → ``A``, ``27`` → ``AB``."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def address(line: Line, column: int) -> str:
    """``C7``: where a person finds the cell."""
    return f"{letters(column)}{line.number}"


def column_of(name: str) -> int:
    """The column of that name, counted from 0: ``A`` → 0, ``AB`` → 27."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number - 1
