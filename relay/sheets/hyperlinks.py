"""Links behind the cells of an XLSX: what is pasted into a sheet often shows a title, and keeps its address out of
sight."""

import io
import posixpath
import zipfile

from .package import DAMAGED, elements, part_of
from .table import REFERENCE, column_of


def hyperlinks(content: bytes, sheet: str) -> dict[tuple[int, int], str]:
    """Where cells lead to, by row (from 1) and column (from 0); only to https. Of other formats nothing is told."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part = part_of(packed, sheet)
            folder, name = posixpath.split(part)
            targets = _targets(packed, f"{folder}/_rels/{name}.rels")
            return _places(packed.read(part), targets) if targets else {}
    except DAMAGED:  # no XLSX: whoever reads the values says why
        return {}


def _targets(packed: zipfile.ZipFile, relations: str) -> dict[str, str]:
    if relations not in packed.namelist():
        return {}
    found = elements(packed.read(relations), "Relationship")
    return {one.get("Id", ""): one["Target"] for one in found if one.get("Target", "").startswith("https://")}


def _places(xml: bytes, targets: dict[str, str]) -> dict[tuple[int, int], str]:
    places: dict[tuple[int, int], str] = {}
    for one in elements(xml, "hyperlink"):
        place = REFERENCE.fullmatch(one.get("ref", ""))
        target = next((targets.get(value) for name, value in one.items() if name.endswith(":id")), None)
        if place and target:
            places[int(place[2]), column_of(place[1])] = target
    return places
