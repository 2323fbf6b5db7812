"""Sheets as people really send them, each with the table of problems that it must give."""

import json
from pathlib import Path

import pytest

from relay.sheets import SheetError, match, plan_rows, read_table
from relay.sheets.plan import refuse_shared_ids

FOLDER = Path(__file__).parent / "ugly"
EXPECTED: dict[str, list[str]] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def told(content: bytes) -> list[str]:
    """One line a row: its number, what it is, and each problem. A file that is no table gives one sentence."""
    try:
        table = read_table(content)
    except SheetError as error:
        return [str(error)]
    lines: list[str] = []
    columns = match(table)
    rows = plan_rows(table, columns)
    refuse_shared_ids(columns, rows)
    for row in rows:
        state = f"again row {row.twin_of}" if row.twin_of else "invalid" if row.problems else "fine"
        uploads = "".join(f"; upload {upload.cell} {upload.path}" for upload in row.uploads)
        lines.append(f"{row.number} {state}{uploads}")
        lines += [f"  {problem.cell or problem.column}: {problem.rule}" for problem in row.problems]
    return lines


def test_every_ugly_sheet_has_its_expectation() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.name != "expected.json"} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_an_ugly_sheet_is_understood_and_its_problems_told(name: str) -> None:
    assert told((FOLDER / name).read_bytes()) == EXPECTED[name]
