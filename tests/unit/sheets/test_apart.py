"""A workbook that fills the memory, or ends who reads it, harms nobody but its own process."""

import io

import openpyxl
import pytest

from relay.sheets import SheetError, read_table
from relay.sheets.apart import read_apart
from tests.unit.sheets.books import AUDIO, COVER, comma_separated, xlsb, xlsx
from tests.unit.sheets.office import Office
from tests.unit.sheets.office import office as office

pytestmark = pytest.mark.anyio

SONGS = [["Audio", "Cover"], [AUDIO, COVER]]


@pytest.mark.parametrize("content", [xlsx(SONGS), xlsb(SONGS, hidden=[2]), comma_separated(SONGS)])
async def test_a_sheet_reads_as_it_does_here(content: bytes) -> None:
    assert await read_apart(content) == read_table(content)


async def test_what_is_refused_says_why() -> None:
    with pytest.raises(SheetError, match="there is no sheet 'July'; there is: Songs"):
        await read_apart(xlsx(SONGS), "July")


async def test_a_cell_far_away_from_all_others_is_told_and_ends_no_relay() -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "Audio", "x"
    packed = io.BytesIO()
    book.save(packed)
    with pytest.raises(SheetError, match="a cell stands far away from all others"):
        await read_apart(packed.getvalue())


async def test_a_damaged_xls_is_told_and_ends_no_relay(office: Office) -> None:
    damaged = bytearray(office.saved(xlsx(SONGS), "xlsx", "xls"))
    at = damaged.index(b"\x00\x02\x0e\x00")  # the record that tells how many rows and columns there are
    damaged[at + 8 : at + 12] = b"\xff" * 4
    with pytest.raises(SheetError, match="it is damaged"):
        await read_apart(bytes(damaged))
