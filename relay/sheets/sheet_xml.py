"""The XML of one worksheet: finds where its rows and cells stand, and splices new cells in."""

import re
from collections.abc import Mapping
from decimal import Decimal
from xml.parsers import expat
from xml.sax.saxutils import escape

from msgspec import Struct, field

from .results import Cell
from .table import REFERENCE, SheetError, column_of, letters

_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MOST_TEXT = 32_767


class _Span(Struct):
    """An element: where it starts, where its content ends, and where it ends itself, in bytes."""

    start: int
    inner_end: int = 0
    end: int = 0
    closed: bool = False
    """``<row/>``: it has no content to put anything into."""


class _CellAt(_Span):
    column: int = 0
    style: str = ""
    formula: bool = False


class _RowAt(_Span):
    number: int = 0
    cells: list[_CellAt] = field(default_factory=list[_CellAt])


def patch_sheet(xml: bytes, written: Mapping[int, Mapping[int, Cell]]) -> bytes:
    """``xml`` with the cells of ``written`` (row number → column → value) in it. Styles of cells stay.

    Raises :class:`SheetError` where a formula would be overwritten.
    """
    sheet = _Sheet(xml)
    edits = [edit for number, cells in sorted(written.items()) for edit in sheet.edits(number, cells)]
    edits += sheet.dimension(written)
    pieces: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        pieces += [xml[at:start], new]
        at = end
    return b"".join([*pieces, xml[at:]])


class _Sheet:
    """The places of everything in one worksheet."""

    def __init__(self, xml: bytes) -> None:
        if not xml.lstrip(b"\xef\xbb\xbf").startswith((b"<?xml", b"<")) or b"UTF-16" in xml[:200].upper():
            raise SheetError("the sheet is not written in UTF-8; save the workbook again as XLSX")
        self._xml = xml
        self.rows: list[_RowAt] = []
        self.data = _Span(-1)
        self._dimension: tuple[int, int, str] | None = None
        self._prefix = ""
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(xml, True)
        self._by_number = {row.number: row for row in self.rows}
        if self.data.start < 0:
            raise SheetError("the part is no worksheet: it has no sheetData")

    def edits(self, number: int, cells: Mapping[int, Cell]) -> list[tuple[int, int, bytes]]:
        """Replacements ``(start, end, bytes)`` that put ``cells`` into row ``number``."""
        row = self._by_number.get(number)
        if row is None:
            return [self._new_row(number, cells)]
        if row.closed:
            opened = self._xml[row.start : row.end - 2].rstrip() + b">"
            return [(row.start, row.end, opened + self._all(number, cells, "") + self._closing("row"))]
        style = row.cells[-1].style if row.cells else ""
        return [self._edit(row, column, value, style) for column, value in sorted(cells.items())]

    def dimension(self, written: Mapping[int, Mapping[int, Cell]]) -> list[tuple[int, int, bytes]]:
        """The sheet's declared extent, lengthened if it must be."""
        if self._dimension is None:
            return []
        start, end, text = self._dimension
        corners = [REFERENCE.fullmatch(corner) for corner in text.split(":")]
        if not corners or any(corner is None for corner in corners):
            return []
        first, last = corners[0], corners[-1]
        assert first is not None
        assert last is not None
        column = max([column_of(last[1]), *(column for cells in written.values() for column in cells)])
        row = max([int(last[2]), *written])
        wanted = f'<{self._prefix}dimension ref="{first[0]}:{letters(column)}{row}"/>'
        return [(start, end, wanted.encode())]

    def _edit(self, row: _RowAt, column: int, value: Cell, style: str) -> tuple[int, int, bytes]:
        for cell in row.cells:
            if cell.column == column:
                if cell.formula:
                    raise SheetError(f"{letters(column)}{row.number} holds a formula; results do not overwrite it")
                return cell.start, cell.end, self._cell(row.number, column, value, cell.style)
            if cell.column > column:
                return cell.start, cell.start, self._cell(row.number, column, value, "")
        new = self._cell(row.number, column, value, style if isinstance(value, str) and row.number == 1 else "")
        return row.inner_end, row.inner_end, new

    def _new_row(self, number: int, cells: Mapping[int, Cell]) -> tuple[int, int, bytes]:
        new = f'<{self._prefix}row r="{number}">'.encode() + self._all(number, cells, "") + self._closing("row")
        if self.data.closed:
            opened = f"<{self._prefix}sheetData>".encode()
            return self.data.start, self.data.end, opened + new + self._closing("sheetData")
        after = next((row.start for row in self.rows if row.number > number), self.data.inner_end)
        return after, after, new

    def _all(self, number: int, cells: Mapping[int, Cell], style: str) -> bytes:
        return b"".join(self._cell(number, column, value, style) for column, value in sorted(cells.items()))

    def _cell(self, number: int, column: int, value: Cell, style: str) -> bytes:
        p, head = self._prefix, f'r="{letters(column)}{number}"' + (f' s="{style}"' if style else "")
        if value is None or value == "":
            return f"<{p}c {head}/>".encode()
        if isinstance(value, int | Decimal):
            return f"<{p}c {head}><{p}v>{value:f}</{p}v></{p}c>".encode()
        text = escape(_ILLEGAL.sub("", value)[:_MOST_TEXT])
        inline = f'<{p}is><{p}t xml:space="preserve">{text}</{p}t></{p}is>'
        return f'<{p}c {head} t="inlineStr">{inline}</{p}c>'.encode()

    def _closing(self, name: str) -> bytes:
        return f"</{self._prefix}{name}>".encode()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        prefix, _, name = tag.rpartition(":")
        at = self._parser.CurrentByteIndex
        if name == "sheetData":
            self._prefix = f"{prefix}:" if prefix else ""
            self.data = _Span(at)
        elif name == "dimension" and self.data.start < 0:
            self._prefix = f"{prefix}:" if prefix else ""
            self._dimension = (at, self._tag_end(at), attributes.get("ref", ""))
        elif name == "row" and self.data.start >= 0:
            last = self.rows[-1].number if self.rows else 0
            self.rows.append(_RowAt(at, number=int(attributes.get("r", last + 1))))
        elif name == "c" and self.rows:
            cells = self.rows[-1].cells
            match = REFERENCE.fullmatch(attributes.get("r", ""))
            column = column_of(match[1]) if match else (cells[-1].column + 1 if cells else 0)
            cells.append(_CellAt(at, column=column, style=attributes.get("s", "")))
        elif name == "f" and self.rows and self.rows[-1].cells:
            self.rows[-1].cells[-1].formula = True

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "sheetData":
            self._close(self.data)
        elif name == "row" and self.rows and not self.rows[-1].end:
            self._close(self.rows[-1])
        elif name == "c" and self.rows and self.rows[-1].cells and not self.rows[-1].cells[-1].end:
            self._close(self.rows[-1].cells[-1])

    def _close(self, span: _Span) -> None:
        opened = self._tag_end(span.start)
        if self._xml[opened - 2 : opened] == b"/>":
            span.closed, span.inner_end, span.end = True, opened, opened
        else:
            span.inner_end = self._parser.CurrentByteIndex
            span.end = self._tag_end(span.inner_end)

    def _tag_end(self, start: int) -> int:
        """Just behind the ``>`` of the tag at ``start``; one within quotes does not count."""
        quote = 0
        for at in range(start, len(self._xml)):
            byte = self._xml[at]
            if quote:
                quote = 0 if byte == quote else quote
            elif byte in (34, 39):
                quote = byte
            elif byte == 62:
                return at + 1
        raise SheetError("the sheet's XML breaks off")
