"""What the values of a workbook do not tell: formulas that have none, and rows that are hidden.

The reader of values gives errors as empty cells, and knows nothing of hidden rows, so the sheet is read again for both.
"""

import io
import re
import zipfile
from collections.abc import Iterable
from typing import IO
from xml.parsers import expat

from msgspec import Struct, field

from .formulas import NOT_SAVED
from .package import DAMAGED, part_of
from .records import BINARY, HIDDEN, Mark, of_xls, of_xlsb
from .table import REFERENCE, column_of

CONTENT = "content.xml"
"""The part of an ODS that holds its sheets."""
MOST_REPEATED = 1000
"""Rows or columns that one element of an ODS stands for, at most; what goes on for longer is the empty rest."""
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NOTEWORTHY = re.compile(rb"[<:]f[ />]|\bt=[\"']e[\"']|\bhidden=")
_CHUNK = 1 << 20


class Marks(Struct):
    """Rows are counted from 1, columns from 0."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    """What to show in cells that have no value though they are not empty, by row and column."""
    hidden: set[int] = field(default_factory=set[int])
    """Rows that nobody sees: hidden by hand, or left out by a filter."""


def marks_of(content: bytes, sheet: str) -> Marks:
    """What a workbook tells of a sheet; nothing of one that is damaged, for whoever reads the values says so."""
    try:
        if content.startswith(_COMPOUND):
            return _noted(of_xls(content, sheet))
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return _packed(packed, sheet)
    except DAMAGED:
        return Marks()


def _packed(packed: zipfile.ZipFile, sheet: str) -> Marks:
    parts = packed.namelist()
    if BINARY in parts:
        return _noted(of_xlsb(packed, sheet))
    part = CONTENT if CONTENT in parts else part_of(packed, sheet)
    with packed.open(part) as xml:
        if part != CONTENT and not _is_noteworthy(xml):
            return Marks()
    with packed.open(part) as xml:
        return (_Ods(sheet) if part == CONTENT else _Xlsx()).read(xml)


def _noted(found: Iterable[Mark]) -> Marks:
    marks = Marks()
    for row, column, text in found:
        if (column, text) == HIDDEN:
            marks.hidden.add(row)
        else:
            marks.texts[row, column] = text
    return marks


def _is_noteworthy(xml: IO[bytes]) -> bool:
    tail = b""
    while chunk := xml.read(_CHUNK):
        if _NOTEWORTHY.search(tail + chunk):
            return True
        tail = chunk[-8:]
    return False


class _Reading:
    """Goes through the XML of a sheet, prefixes aside."""

    def __init__(self) -> None:
        self._marks = Marks()
        self._row, self._column = 0, -1
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, attributes: self._start(tag.rpartition(":")[2], attributes)
        parser.EndElementHandler = lambda tag: self._end(tag.rpartition(":")[2])

    def read(self, xml: IO[bytes]) -> Marks:
        self._parser.ParseFile(xml)
        return self._marks

    def _start(self, name: str, attributes: dict[str, str]) -> None: ...

    def _end(self, name: str) -> None: ...


class _Xlsx(_Reading):
    def __init__(self) -> None:
        super().__init__()
        self._type = ""
        self._texts: dict[str, str] = {}

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), -1
            if attributes.get("hidden") in ("1", "true"):
                self._marks.hidden.add(self._row)
        elif name == "c":
            match = REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = column_of(match[1]) if match else self._column + 1
            self._type, self._texts = attributes.get("t", ""), {}
        elif name in ("f", "v"):
            self._texts[name] = ""
            self._parser.CharacterDataHandler = lambda text: self._add(name, text)

    def _add(self, name: str, text: str) -> None:
        self._texts[name] += text

    def _end(self, name: str) -> None:
        if name in ("f", "v"):
            self._parser.CharacterDataHandler = None
        elif name == "c":
            value, place = self._texts.get("v", ""), (self._row, self._column)
            if self._type == "e":
                self._marks.texts[place] = value
            elif "f" in self._texts and not value and self._type != "str":
                self._marks.texts[place] = f"{NOT_SAVED}={self._texts['f']}"


class _Ods(_Reading):
    """Of a formula that failed only the text is there, as it is shown."""

    def __init__(self, sheet: str) -> None:
        super().__init__()
        self._sheet = sheet
        self._within = False
        """Whether this is the sheet that is meant."""
        self._rows = self._columns = 1
        """How many the element stands for."""
        self._text: str | None = None
        """What is shown in the cell, if it is an error."""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            self._within, self._row = attributes.get("table:name") == self._sheet, 0
        elif name == "table-row":
            self._row, self._column = self._row + 1, -1
            self._rows = int(attributes.get("table:number-rows-repeated", 1))
            if self._within and attributes.get("table:visibility", "visible") != "visible":
                self._marks.hidden.update(range(self._row, self._row + min(self._rows, MOST_REPEATED)))
        elif name in ("table-cell", "covered-table-cell"):
            self._column += 1
            self._columns = int(attributes.get("table:number-columns-repeated", 1))
            self._text = "" if self._within and attributes.get("calcext:value-type") == "error" else None
        elif name == "p" and self._text is not None:
            self._text = ""
            self._parser.CharacterDataHandler = self._add

    def _add(self, text: str) -> None:
        self._text = (self._text or "") + text

    def _end(self, name: str) -> None:
        if name == "p":
            self._parser.CharacterDataHandler = None
        elif name in ("table-cell", "covered-table-cell"):
            if self._text:
                self._error(self._text)
            self._column += self._columns - 1
            self._text = None
        elif name == "table-row":
            self._row += self._rows - 1

    def _error(self, text: str) -> None:
        for row in range(self._row, self._row + min(self._rows, MOST_REPEATED)):
            for column in range(self._column, self._column + min(self._columns, MOST_REPEATED)):
                self._marks.texts[row, column] = text
