"""Workbooks: values as text, as a person reads them, the same whichever program saved the file."""

import io
import re
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from .hyperlinks import hyperlinks
from .marks import CONTENT, marks_of
from .package import DAMAGED, repacked
from .table import Line, SheetError, Table

MOST_UNPACKED = 500 * 1024 * 1024
MOST_RATIO = 200
MOST_COLUMNS = 500
_LOCKED = "the workbook is protected by a password; save it without one"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The name of what an XLSX with a password is wrapped in."""
_AGAIN = " and save it again as XLSX"
_TAB = re.compile(rb"<text:tab\s*(?:/>|>\s*</text:tab>)")


def read_workbook(content: bytes, sheet: str | None = None) -> Table:
    """Raises :class:`SheetError` for what is damaged, encrypted, too large, or has no such sheet."""
    _refuse_bomb(content)
    content = _with_tabs(content)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as workbook:
            found = workbook.get_sheet_by_name(_choose(workbook, sheet))
            if found.total_width > MOST_COLUMNS:
                raise SheetError(f"the sheet has {found.total_width} columns; at most {MOST_COLUMNS} are read")
            others = [name for name in _visible(workbook) if name != found.name]
            marks = marks_of(content, found.name)
            lines = _lines(found, marks.texts)
            return Table(found.name, lines, others, hyperlinks(content, found.name), marks.hidden)
    except PasswordError as error:
        raise SheetError(_LOCKED) from error
    except CalamineError as error:
        if _ENCRYPTED in content:
            raise SheetError(_LOCKED) from error
        raise SheetError(
            f"{_what_it_is(content) or f'the workbook cannot be read: {error}; open it'}{_AGAIN}"
        ) from error


def as_text(value: Any) -> str:
    """A cell's value as the text that a CSV of the same sheet would hold: ``15.0`` is ``15``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(value)


def _choose(workbook: CalamineWorkbook, wanted: str | None) -> str:
    if wanted is not None:
        for name in workbook.sheet_names:
            if name.strip().lower() == wanted.strip().lower():
                return name
        raise SheetError(f"there is no sheet {wanted!r}; there is: {', '.join(workbook.sheet_names)}")
    for name in _visible(workbook):
        return name
    raise SheetError("the workbook has no visible sheet; name one")


def _visible(workbook: CalamineWorkbook) -> list[str]:
    return [
        one.name
        for one in workbook.sheets_metadata
        if one.typ == SheetTypeEnum.WorkSheet and one.visible == SheetVisibleEnum.Visible
    ]


def _lines(sheet: CalamineSheet, unsettled: Mapping[tuple[int, int], str]) -> list[Line]:
    rows = [[as_text(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
    for (number, column), text in unsettled.items():
        _put(rows, number - 1, column, text)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        _spread(rows, top, left, bottom, right)
    return [Line(number, cells) for number, cells in enumerate(rows, start=1)]


def _put(rows: list[list[str]], index: int, column: int, text: str) -> None:
    """Text for a cell that was read as empty, or not at all."""
    rows += [list[str]() for _ in range(index + 1 - len(rows))]
    rows[index] += [""] * (column + 1 - len(rows[index]))
    rows[index][column] = text


def _spread(rows: list[list[str]], top: int, left: int, bottom: int, right: int) -> None:
    """A value merged over several rows holds for each of them. Over columns it stands once: a title, not a value."""
    if top >= len(rows) or left >= len(rows[top]) or right != left:
        return
    for row in rows[top + 1 : bottom + 1]:
        if left < len(row) and not row[left]:
            row[left] = rows[top][left]


def _with_tabs(content: bytes) -> bytes:
    """An ODS whose tabs are characters: as elements they would be lost, and the row would be another one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if CONTENT not in packed.namelist() or not _TAB.search(text := packed.read(CONTENT)):
                return content
            return repacked(packed, {CONTENT: _TAB.sub(b"\t", text)})
    except DAMAGED:  # no package: the reader says what it is
        return content


def _what_it_is(content: bytes) -> str:
    """What a package without a workbook is, with what to do about it; empty: nobody knows."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = packed.namelist()
    except DAMAGED:
        return ""
    if any(name.endswith(".iwa") for name in names):
        return "the file is of Apple Numbers (or Pages, or Keynote); choose Export To, Excel there"
    if any(name.startswith(("word/", "ppt/")) for name in names):
        return "the file is a document of Word or PowerPoint, not a sheet; copy its table into a sheet"
    return ""


def _refuse_bomb(content: bytes) -> None:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except DAMAGED as error:
        raise SheetError(f"the workbook is damaged: {error}; open it and save it again as XLSX") from error
    if size > MOST_UNPACKED or size > MOST_RATIO * max(len(content), 50_000):
        raise SheetError(f"the workbook unpacks to {size} bytes, which is more than a sheet of songs needs; split it")
