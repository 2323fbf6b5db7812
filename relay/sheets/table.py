"""A spreadsheet as text: what all formats have in common once read."""

from msgspec import Struct


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
    """The cells of one sheet. ``name`` is the sheet's, empty for a CSV."""

    name: str
    lines: list[Line]

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
