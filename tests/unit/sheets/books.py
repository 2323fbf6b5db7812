"""Workbooks and CSVs made by the tests."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook

AUDIO, COVER = "https://media.example.com/song.mp3", "https://media.example.com/cover.png"


def xlsx(rows: Sequence[Sequence[Any]], *, title: str = "Songs", merge: Sequence[str] = ()) -> bytes:
    """A workbook with one sheet."""
    book = Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for cells in merge:
        sheet.merge_cells(cells)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def comma_separated(rows: Sequence[Sequence[Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    """A CSV as most programs write it."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode(encoding)
