"""Formulas that give nothing to go by: those that failed, and those whose value was never saved.

Read as empty they would be a wish: no second image, no prompt. So they stay in sight, and a row that needs one is not
asked for.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

from msgspec import Struct

from .package import part_of
from .table import REFERENCE, SheetError, column_of

NOT_SAVED = "#NOT SAVED: "
"""Stands before a formula that a program wrote without reckoning it."""
_FAILED = re.compile(r"#(?:N/A|NV|N/D|[A-ZÀ-Þ¡0/_]{2,15}[!?])")  # as CSVs have them, in any language
_FORMULA_OR_ERROR = re.compile(rb"[<:]f[ />]|\bt=[\"']e[\"']")
_CHUNK = 1 << 20


class Unsettled(Struct, frozen=True):
    """Why a cell has no value, ending a sentence about it, and how to mend it."""

    rule: str
    fix: str


_NOT_SAVED = Unsettled(
    "is a formula whose value was not saved", "open the sheet in a spreadsheet program, save it there and give it again"
)
_ERROR = Unsettled("is the error of a formula", "mend the formula, or write the value itself")


def failed(text: str) -> bool:
    """Whether it is what a formula that failed shows, such as ``#REF!``."""
    return text.startswith("#") and _FAILED.fullmatch(text) is not None


def unsettled(text: str) -> Unsettled | None:
    """Why the text of a cell is no value; ``None`` if it is one."""
    if text.startswith(NOT_SAVED):
        return _NOT_SAVED
    return _ERROR if failed(text) else None


def saved(text: str) -> str:
    """``text``, or nothing in the place of a formula whose value was not saved."""
    return "" if text.startswith(NOT_SAVED) else text


def unsettled_cells(content: bytes, sheet: str) -> dict[tuple[int, int], str]:
    """What to show in cells of an XLSX that have no value though they are not empty, by row (from 1) and column
    (from 0). Of other formats nothing is told."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part = part_of(packed, sheet)
            with packed.open(part) as xml:
                if not _has_formulas(xml):
                    return {}
            with packed.open(part) as xml:
                return dict(_Cells().read(xml))
    except (SheetError, zipfile.BadZipFile, KeyError, expat.ExpatError):  # no XLSX: whoever reads the values says why
        return {}


def _has_formulas(xml: IO[bytes]) -> bool:
    tail = b""
    while chunk := xml.read(_CHUNK):
        if _FORMULA_OR_ERROR.search(tail + chunk):
            return True
        tail = chunk[-8:]
    return False


class _Cells:
    """Reads one sheet's XML for formulas and errors."""

    def __init__(self) -> None:
        self._type = ""
        self._texts: dict[str, str] = {}
        self._found: list[tuple[tuple[int, int], str]] = []
        self._row, self._column = 0, -1
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def read(self, xml: IO[bytes]) -> Iterator[tuple[tuple[int, int], str]]:
        while chunk := xml.read(_CHUNK):
            self._parser.Parse(chunk, False)
            yield from self._found
            self._found.clear()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), -1
        elif name == "c":
            match = REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = column_of(match[1]) if match else self._column + 1
            self._type, self._texts = attributes.get("t", ""), {}
        elif name in ("f", "v"):
            self._texts[name] = ""
            self._parser.CharacterDataHandler = lambda text: self._add(name, text)

    def _add(self, name: str, text: str) -> None:
        self._texts[name] += text

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in ("f", "v"):
            self._parser.CharacterDataHandler = None
        elif name == "c":
            value = self._texts.get("v", "")
            if self._type == "e":
                self._found.append(((self._row, self._column), value))
            elif "f" in self._texts and not value and self._type != "str":
                self._found.append(((self._row, self._column), f"{NOT_SAVED}={self._texts['f']}"))
