"""Writes results into an XLSX by changing nothing but the sheet's own cells.

A library that loads and saves a workbook drops what it does not know: sparklines, checkboxes, newer conditional
formats. So only the cells to be written are spliced into the sheet's XML; every other part stays byte for byte.
"""

import io
import zipfile
from collections.abc import Mapping
from xml.parsers import expat

from .package import part_of, repacked
from .results import Cell
from .sheet_xml import patch_sheet
from .table import SheetError

MOST_SHEET = 50 * 1024 * 1024


def write_workbook(content: bytes, sheet: str, written: Mapping[int, Mapping[int, Cell]]) -> bytes:
    """``content`` with the cells of ``written`` (row number → column → value) put into ``sheet``.

    Raises :class:`SheetError` if it is not an XLSX that can be changed in place.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part = part_of(packed, sheet)
            if packed.getinfo(part).file_size > MOST_SHEET:
                raise SheetError(f"the sheet {sheet!r} is too large to be changed in place; the results go beside it")
            patched = patch_sheet(packed.read(part), written)
            return repacked(packed, {part: patched})
    except (zipfile.BadZipFile, KeyError, expat.ExpatError) as error:
        raise SheetError(f"the workbook cannot be changed in place ({error}); save it as XLSX first") from error
