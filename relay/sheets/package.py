"""A workbook as the package of parts that it is: which holds which sheet, and how one is put in another's place."""

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Mapping
from xml.parsers import expat

from .table import SheetError

DAMAGED = (
    *(SheetError, zipfile.BadZipFile, zlib.error, struct.error, expat.ExpatError),
    *(LookupError, ValueError, EOFError, OSError, RuntimeError),
)
"""What reading a damaged package raises: it has no word of its own for many a damage."""
_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"


def part_of(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part that holds ``sheet``. Raises :class:`SheetError` for a sheet that is not there, and whatever reading a
    damaged package raises."""
    relation = ""
    for attributes in elements(packed.read(_WORKBOOK), "sheet"):
        if attributes.get("name") == sheet:
            relation = next((value for name, value in attributes.items() if name.endswith(":id")), "")
    for attributes in elements(packed.read(_RELATIONS), "Relationship"):
        if relation and attributes.get("Id") == relation:
            target = attributes["Target"]
            return target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    raise SheetError(f"the workbook has no sheet {sheet!r} that can be changed in place")


def repacked(packed: zipfile.ZipFile, changed: Mapping[str, bytes]) -> bytes:
    """The whole package with the parts in ``changed`` in the place of theirs; all others stay byte for byte."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as again:
        again.comment = packed.comment
        for entry in packed.infolist():
            again.writestr(entry, changed.get(entry.filename) or packed.read(entry))
    return whole.getvalue()


def elements(xml: bytes, name: str) -> list[dict[str, str]]:
    """The attributes of every element of that name, whatever its prefix."""
    found: list[dict[str, str]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == name:
            found.append(attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(xml, True)
    return found
