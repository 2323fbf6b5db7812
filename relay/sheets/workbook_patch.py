"""Writes results into an XLSX by changing nothing but the sheet's own cells.

A library that loads and saves a workbook drops what it does not know: sparklines, checkboxes, newer conditional
formats. So only the cells to be written are spliced into the sheet's XML; every other part stays byte for byte.
"""

import io
import posixpath
import zipfile
from collections.abc import Mapping
from xml.parsers import expat

from .results import Cell
from .sheet_xml import patch_sheet
from .table import SheetError

MOST_SHEET = 50 * 1024 * 1024
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"


def write_workbook(content: bytes, sheet: str, written: Mapping[int, Mapping[int, Cell]]) -> bytes:
    """``content`` with the cells of ``written`` (row number → column → value) put into ``sheet``.

    Raises :class:`SheetError` if it is not an XLSX that can be changed in place.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part = _part_of(packed, sheet)
            if packed.getinfo(part).file_size > MOST_SHEET:
                raise SheetError(f"the sheet {sheet!r} is too large to be changed in place; the results go beside it")
            patched = patch_sheet(packed.read(part), written)
            return _repacked(packed, {part: patched})
    except (zipfile.BadZipFile, KeyError, expat.ExpatError) as error:
        raise SheetError(f"the workbook cannot be changed in place ({error}); save it as XLSX first") from error


def _repacked(packed: zipfile.ZipFile, changed: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as again:
        again.comment = packed.comment
        for entry in packed.infolist():
            again.writestr(entry, changed.get(entry.filename) or packed.read(entry))
    return whole.getvalue()


def _part_of(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part of the package that holds ``sheet``."""
    relation = ""
    for attributes in _elements(packed.read(_WORKBOOK), "sheet"):
        if attributes.get("name") == sheet:
            relation = next((value for name, value in attributes.items() if name.endswith(":id")), "")
    for attributes in _elements(packed.read(_RELATIONS), "Relationship"):
        if relation and attributes.get("Id") == relation:
            target = attributes["Target"]
            return target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    raise SheetError(f"the workbook has no sheet {sheet!r} that can be changed in place")


def _elements(xml: bytes, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == name:
            found.append(attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(xml, True)
    return found
