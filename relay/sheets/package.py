"""The parts of an XLSX: which of them holds which sheet."""

import posixpath
import zipfile
from xml.parsers import expat

from .table import SheetError

_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"


def part_of(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part that holds ``sheet``. Raises :class:`SheetError` for a sheet that is not there, and whatever reading a
    damaged package raises."""
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
