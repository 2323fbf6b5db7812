"""Formulas that failed and rows that nobody sees are told, whichever program saved the sheet in whichever form."""

import io
import random

import openpyxl
import pytest

from relay.sheets import match, plan_rows, read_table
from relay.sheets.marks import Marks, marks_of
from tests.unit.sheets.books import AUDIO, COVER, xlsb
from tests.unit.sheets.office import Office
from tests.unit.sheets.office import office as office

FAILED = ["=VLOOKUP(1,Z1:Z2,1,0)", "=1/0", "=NOSUCH(1)", '=1+"a"', "=#REF!", "=SQRT(-1)"]
SHOWN = ["#N/A", "#DIV/0!", "#NAME?", "#VALUE!", "#REF!"]


def book() -> bytes:
    """Two sheets; in the second, row 3 is hidden, row 4 left out by a filter, and row 5 fails as row 4 does."""
    made = openpyxl.Workbook()
    made.active.append(["=1/0"])
    made.active.row_dimensions[2].hidden = True
    sheet = made.create_sheet("Songs")
    sheet.append(["Title", "Audio", "Cover", *(f"Cover {number}" for number in range(2, 7)), "Prompt"])
    sheet.append(["fine", AUDIO, COVER])
    sheet.append(["hidden", AUDIO, COVER])
    for _ in range(2):
        sheet.append(["failed", AUDIO, *FAILED, '=IF(1,"","x")'])
    sheet.row_dimensions[3].hidden = True
    sheet.auto_filter.ref = "A1:I5"
    sheet.auto_filter.add_filter_column(0, ["fine", "hidden"])
    sheet.row_dimensions[4].hidden = True
    packed = io.BytesIO()
    made.save(packed)
    return packed.getvalue()


@pytest.mark.parametrize("target", ["xlsx", "ods", "xls"])
def test_each_formula_that_failed_is_a_problem_of_its_row_by_cell(office: Office, target: str) -> None:
    table = read_table(office.saved(book(), "xlsx", target), "Songs")
    shown = [*SHOWN, "Err:502" if target == "ods" else "#VALUE!"]
    assert [line.cells[2:8] for line in table.lines[3:]] == [shown, shown]
    fine, hidden, *failed = plan_rows(table, match(table))
    assert not fine.problems
    assert not hidden.problems
    for row in failed:
        cells = [f"{letter}{row.number}" for letter in "CDEFGH"]
        assert [(problem.cell, problem.value) for problem in row.problems] == list(zip(cells, shown, strict=True))
        assert {problem.rule for problem in row.problems} == {"is the error of a formula"}


@pytest.mark.parametrize("target", ["xlsx", "ods", "xls"])
def test_rows_that_nobody_sees_are_marked(office: Office, target: str) -> None:
    table = read_table(office.saved(book(), "xlsx", target), "Songs")
    assert [row.number for row in plan_rows(table, match(table)) if row.hidden] == [3, 4]


def test_the_rest_of_a_sheet_that_was_hidden_as_a_whole_takes_no_memory(office: Office) -> None:
    made = openpyxl.Workbook()
    made.active.append(["Audio", "Cover"])
    made.active.append([AUDIO, COVER])
    made.active.sheet_format.zeroHeight = True
    packed = io.BytesIO()
    made.save(packed)
    for target in ("xlsx", "ods", "xls"):
        table = read_table(office.saved(packed.getvalue(), "xlsx", target))
        assert len(table.hidden) < 3000
        assert len(table.lines) == 2


def test_an_xlsb_tells_the_same_as_libreoffice_reads_in_it(office: Office) -> None:
    codes = {
        0x00: "#NULL!",
        0x07: "#DIV/0!",
        0x0F: "#VALUE!",
        0x17: "#REF!",
        0x1D: "#NAME?",
        0x24: "#NUM!",
        0x2A: "#N/A",
    }
    content = xlsb([["Audio", "Cover"], [AUDIO, COVER], [AUDIO, *codes]], hidden=[2])
    ours, theirs = read_table(content), read_table(office.saved(content, "xlsb", "xlsx"))
    assert ours.lines[2].cells == [AUDIO, *codes.values()]
    assert [[*filter(None, line.cells)] for line in theirs.lines] == [line.cells for line in ours.lines]
    assert ours.hidden == theirs.hidden == {2}


@pytest.mark.parametrize("kind", ["xls", "xlsb", "ods", "xlsx"])
def test_a_damaged_workbook_tells_nothing_and_ends(office: Office, kind: str) -> None:
    whole = xlsb([["Audio"], [AUDIO, 7]]) if kind == "xlsb" else office.saved(book(), "xlsx", kind)
    chance = random.Random(kind)
    for _ in range(200):
        damaged = bytearray(whole[: chance.choice([len(whole), chance.randint(1, len(whole))])])
        for _ in range(20):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert isinstance(marks_of(bytes(damaged), "Songs"), Marks)
