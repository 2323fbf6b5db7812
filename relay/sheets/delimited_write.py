"""Writes results into a CSV: every byte of what a person wrote stays as it is, quotes and spaces too."""

import csv
import io
import re
from collections.abc import Mapping

from .delimited import Dialect, detect
from .results import Cell, harmless
from .table import Table

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_Record = tuple[list[str], str]
"""The raw text of each field, and of the line's end."""


def write_delimited(content: bytes, written: Mapping[int, Mapping[int, Cell]]) -> bytes:
    """``content`` with the cells of ``written`` (row number → column → value) put in."""
    text, dialect = detect(content)
    body = text[len(dialect.separator_line) :]
    records = split(body, dialect.delimiter)
    for number, cells in written.items():
        while len(records) < number:
            records.append(([""], dialect.newline))
        fields, end = records[number - 1]
        for column, value in cells.items():
            fields += [""] * (column + 1 - len(fields))
            fields[column] = _raw(value, dialect)
        records[number - 1] = (fields, end)
    lines = [dialect.delimiter.join(fields) + end for fields, end in records]
    return _encode(dialect.separator_line + "".join(lines), content, dialect)


def table_as_csv(table: Table, written: Mapping[int, Mapping[int, Cell]]) -> bytes:
    """All cells of ``table`` with those of ``written`` put in, as a CSV that Excel opens, too. No text of it is a
    formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for line in table.lines:
        cells = [cell if _NUMBER.fullmatch(cell) else harmless(cell) for cell in line.cells]
        for column, value in written.get(line.number, {}).items():
            cells += [""] * (column + 1 - len(cells))
            cells[column] = _text(value)
        writer.writerow(cells)
    return text.getvalue().encode("utf-8-sig")


def split(text: str, delimiter: str) -> list[_Record]:
    """The records of ``text``, each field with its quotes: joined again they are ``text``."""
    records: list[_Record] = []
    fields: list[str] = []
    start = at = 0
    while at < len(text):
        if text[at] == '"' and at == start:
            at = _closing(text, at)
        elif text[at] == delimiter:
            fields.append(text[start:at])
            start = at = at + 1
        elif text[at] in "\r\n":
            end = "\r\n" if text.startswith("\r\n", at) else text[at]
            records.append(([*fields, text[start:at]], end))
            fields = []
            start = at = at + len(end)
        else:
            at += 1
    if fields or start < len(text):
        records.append(([*fields, text[start:]], ""))
    return records


def _closing(text: str, at: int) -> int:
    """Just behind the quote that closes the one at ``at``; a doubled quote does not."""
    at += 1
    while at < len(text):
        if text[at] == '"':
            if not text.startswith('""', at):
                return at + 1
            at += 1
        at += 1
    return at


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else f"{value:f}" if not isinstance(value, int) else str(value)


def _raw(value: Cell, dialect: Dialect) -> str:
    text = _text(value)
    if any(character in text for character in (dialect.delimiter, '"', "\r", "\n")) or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


def _encode(text: str, before: bytes, dialect: Dialect) -> bytes:
    if dialect.encoding == "utf-16":  # the codec would write this machine's byte order
        order = "utf-16-le" if before.startswith(b"\xff\xfe") else "utf-16-be"
        return ("\ufeff" + text).encode(order)
    # what cp1252 cannot hold (a name in an error message, say) becomes a question mark rather than a lost file
    return text.encode(dialect.encoding, "replace")
