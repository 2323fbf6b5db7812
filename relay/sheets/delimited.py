"""CSV as people really have it: any of the usual encodings and delimiters, quoted newlines, ``sep=``."""

import codecs
import csv
import io
import re
from collections import Counter
from itertools import islice

from msgspec import Struct

from .table import Line, SheetError, Table

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 50
MOST_CELL = 131_072
_MARK = "end of the file"
_LETTER, _FOREIGN = re.compile(rb"[\x80-\xff]"), re.compile(rb"[\x80-\xff]{4,}")
"""Bytes that are no ASCII: in languages that cp1252 serves they stand alone between others."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Dialect(Struct, frozen=True):
    """How a CSV is written, so that a result can be written the same way."""

    encoding: str
    delimiter: str
    newline: str
    separator_line: str = ""
    """Excel's ``sep=;`` first line, as it stood; it is no row."""


def read_delimited(content: bytes) -> Table:
    """Raises :class:`SheetError` for text that is not a table."""
    text, dialect = detect(content)
    return Table("", [Line(number, cells) for number, cells in enumerate(records(text, dialect), start=1)])


def records(text: str, dialect: Dialect) -> list[list[str]]:
    """All records of ``text``, blank ones too: their place counts."""
    body = text[len(dialect.separator_line) :]
    csv.field_size_limit(MOST_CELL)
    ended = body if body.endswith(("\n", "\r")) else body + "\n"
    try:
        *found, last = csv.reader(io.StringIO(ended + _MARK, newline=""), delimiter=dialect.delimiter)
    except csv.Error as error:
        raise SheetError(f"the file is not a CSV: {error}; save it again as CSV or XLSX") from error
    if last != [_MARK]:  # a quote swallowed it, and whatever rows stood before it
        raise SheetError(f'row {len(found) + 1} opens a quote (") that is never closed; close it, or save as XLSX')
    return found


def detect(content: bytes) -> tuple[str, Dialect]:
    """The text, and how it was written."""
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise SheetError("the file is no text that can be read; save it as `CSV UTF-8` or XLSX") from error
    if "\x00" in text:
        raise SheetError("the file is not text: it has NUL characters; save it as CSV or XLSX")
    first, _, _ = text.partition("\n")
    newline = "\r\n" if first.endswith("\r") else "\n"
    if first.lower().startswith("sep=") and len(first.rstrip("\r")) == 5:
        return text, Dialect(encoding, first[4], newline, first + "\n")
    return text, Dialect(encoding, _delimiter(text), newline)


def _encoding(content: bytes) -> str:
    for mark, name in _BOMS:
        if content.startswith(mark):
            return name
    head = content[:4000]
    if head.count(b"\x00") > len(head) // 4:  # UTF-16 without a mark: every second byte of plain text is zero
        return "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return _eight_bits(content)
    return "utf-8"


def _eight_bits(content: bytes) -> str:
    """Of the encodings without a mark, the one that it can be. Raises :class:`SheetError` for those that are told from
    each other by guessing only: a prompt that was guessed wrong would be paid for."""
    if b"\r" in content and b"\n" not in content:
        return "mac_roman"
    letters = len(_LETTER.findall(content))
    if letters > 3 and sum(map(len, _FOREIGN.findall(content))) > letters / 2:
        raise SheetError(
            "its letters cannot be told for sure, for it is saved in an older encoding (Chinese, Cyrillic or another);"
            " save it as `CSV UTF-8` or XLSX"
        )
    return "cp1252"


def _delimiter(text: str) -> str:
    """The one under which most of the first rows have the same number of cells, and more than one."""
    csv.field_size_limit(MOST_CELL)
    best, score = ",", (0, 0)
    for delimiter in DELIMITERS:
        try:
            widths = [
                len(row) for row in islice(csv.reader(io.StringIO(text), delimiter=delimiter), SAMPLE_ROWS) if row
            ]
        except csv.Error:
            continue
        width, agreeing = Counter(widths).most_common(1)[0] if widths else (0, 0)
        if width > 1 and (agreeing, width) > score:
            best, score = delimiter, (agreeing, width)
    return best
