"""Workbooks and CSVs made by the tests."""

import csv
import io
import zipfile
from collections.abc import Collection, Sequence
from struct import pack
from typing import Any
from xml.sax.saxutils import escape

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


def ods(rows: Sequence[Sequence[str]]) -> bytes:
    """A sheet of LibreOffice, as small as one can be."""
    names = {name: f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0" for name in ("office", "table", "text")}
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    lines = ["".join(cell.format(escape(text)) for text in row) for row in rows]
    table = "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in names.items())
    sheet = f'<table:table table:name="Songs">{table}</table:table>'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        book.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{manifest}"/>')
        body = f"<office:body><office:spreadsheet>{sheet}</office:spreadsheet></office:body>"
        book.writestr("content.xml", f"<office:document-content {spaces}>{body}</office:document-content>")
    return packed.getvalue()


def xlsb(rows: Sequence[Sequence[str | int]], *, hidden: Collection[int] = ()) -> bytes:
    """A binary workbook of texts, and of errors by their codes, as small as one can be. The first error of a row is a
    cell's, the others are those of formulas."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    relation = f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{kind}/%s" Target="%s"/>'
    types = {"/xl/workbook.bin": "sheet.binary.macroEnabled.main", "/xl/worksheets/sheet1.bin": "worksheet"}
    overrides = [
        f'<Override PartName="{part}" ContentType="application/vnd.ms-excel.{name}"/>' for part, name in types.items()
    ]
    start = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    bundle = pack("<II", 0, 1) + _wide("rId1") + _wide("Songs")
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{start}{"".join(overrides)}</Types>',
        "_rels/.rels": relation % ("officeDocument", "xl/workbook.bin") + "</Relationships>",
        "xl/_rels/workbook.bin.rels": relation % ("worksheet", "worksheets/sheet1.bin") + "</Relationships>",
        "xl/workbook.bin": b"".join([_record(131), _record(143), _record(156, bundle), _record(144), _record(132)]),
        "xl/worksheets/sheet1.bin": _sheet_of_xlsb(rows, hidden),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        for name, part in parts.items():
            book.writestr(name, part)
    return packed.getvalue()


def _sheet_of_xlsb(rows: Sequence[Sequence[str | int]], hidden: Collection[int]) -> bytes:
    width = max(map(len, rows))
    records = [_record(129), _record(148, pack("<IIII", 0, len(rows) - 1, 0, width - 1)), _record(145)]
    for index, row in enumerate(rows):
        unseen = 0x10 if index + 1 in hidden else 0
        records.append(_record(0, pack("<IIHBBBIII", index, 0, 300, 0, unseen, 0, 1, 0, width - 1)))
        formula = False
        for column, value in enumerate(row):
            head = pack("<II", column, 0)
            if isinstance(value, str):
                records.append(_record(6, head + _wide(value)))
            elif formula:
                records.append(_record(11, head + pack("<BHIBBI", value, 0, 2, 0x1C, value, 0)))
            else:
                records.append(_record(3, head + bytes([value])))
            formula = formula or isinstance(value, int)
    return b"".join([*records, _record(146), _record(130)])


def _record(kind: int, body: bytes = b"") -> bytes:
    return _number(kind) + _number(len(body)) + body


def _number(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, *_number(number >> 7)])


def _wide(text: str) -> bytes:
    return pack("<I", len(text)) + text.encode("utf-16-le")
