"""From a file's bytes to a :class:`Table`: the content decides what it is, not its name."""

import re

from .delimited import read_delimited
from .table import SheetError, Table
from .workbook import read_workbook

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 100_000
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_KINDS = {
    name: re.compile(rb"[\xef\xbb\xbf\s]*(?:" + mark + rb")", re.IGNORECASE | re.DOTALL)
    for name, mark in {
        "a web page": rb"<!doctype html|<html|<table|<meta|<head|<body",
        "an XML document": rb"<\?xml",
        "JSON": rb"\[\s*\{|\{\s*\"",
        "a PDF": rb"%PDF",
        "an image": rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP",
        "a song": rb"ID3|RIFF....WAVE|fLaC",
    }.items()
}
"""What is given as a sheet, and is none: many programs export a web page and call it ``.xls``."""


def read_table(content: bytes, sheet: str | None = None) -> Table:
    """Read a CSV (any usual encoding and delimiter) or a workbook (xlsx, xlsm, xlsb, xls, ods).

    ``sheet`` names a sheet of a workbook; default: its first visible one. Raises :class:`SheetError`.
    """
    if len(content) > MOST_BYTES:
        raise SheetError(f"the file has {len(content)} bytes; at most {MOST_BYTES} are read. Split it")
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise SheetError("the file is empty; its first row must name the columns")
    for name, mark in _KINDS.items():
        if mark.match(content):
            raise SheetError(f"the file is {name}, whatever its name says; open it and save it as XLSX or CSV UTF-8")
    if is_workbook(content):
        table = read_workbook(content, sheet)
    else:
        if sheet is not None:
            raise SheetError(f"a CSV has no sheets, so {sheet!r} cannot be chosen; leave it out")
        table = read_delimited(content)
    if len(table.lines) > MOST_ROWS:
        raise SheetError(f"the sheet has {len(table.lines)} rows; at most {MOST_ROWS} are read. Split it")
    return table


def is_workbook(content: bytes) -> bool:
    """Whether it is read as one; everything else is text."""
    return content.startswith((_ZIP, _OLE))
