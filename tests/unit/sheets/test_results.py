"""Results are written beside what people wrote, and nothing else changes."""

import io
import stat
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.sheets import Columns, SheetError, Table, match, read_table
from relay.sheets.columns import leave_to_people
from relay.sheets.delimited_write import split
from relay.sheets.put import beside, digest, may_replace, with_results, write_whole
from relay.sheets.results import Result, harmless
from relay.sheets.workbook_patch import write_workbook
from tests.unit.sheets.books import AUDIO, COVER, comma_separated, xlsx

DONE = Result(status="succeeded", video_url="https://v.example/1.mp4", credits=Decimal("75.50"), task_id="task_1")
FAILED = Result(status="failed", error="=cmd|' /C calc'!A0 \x01bad")
ROWS = [["Audio", "Image", "Note"], [AUDIO, COVER, "first"], [], [AUDIO + "?2", COVER, "second"]]


def read(content: bytes) -> tuple[Table, Columns]:
    table = read_table(content)
    return table, match(table)


def written(content: bytes, **results: Result) -> bytes:
    table, columns = read(content)
    return with_results(content, table, columns, {int(name[1:]): result for name, result in results.items()})


def test_a_workbook_gets_its_results_and_keeps_everything_else() -> None:
    before = xlsx(ROWS)
    after = written(before, r2=DONE, r4=FAILED)
    old, new = (zipfile.ZipFile(io.BytesIO(content)) for content in (before, after))
    assert new.namelist() == old.namelist()
    changed = [name for name in old.namelist() if old.read(name) != new.read(name)]
    assert changed == ["xl/worksheets/sheet1.xml"]
    sheet = openpyxl.load_workbook(io.BytesIO(after)).active
    assert [cell.value for cell in sheet[1]] == [
        *("Audio", "Image", "Note", "Status", "Video URL", "Credits", "Task ID", "Error", "Finished at")
    ]
    assert [cell.value for cell in sheet[2]][3:7] == ["succeeded", "https://v.example/1.mp4", 75.5, "task_1"]
    assert (sheet["H4"].value, sheet["H4"].data_type) == ("=cmd|' /C calc'!A0 bad", "s")
    assert sheet.dimensions == "A1:I4"
    assert [line.cells[:3] for line in read(after)[0].lines if not line.blank] == [row for row in ROWS if row]


def test_a_second_run_uses_the_same_columns() -> None:
    once = written(xlsx(ROWS), r2=Result(status="processing"))
    twice = written(once, r2=DONE, r4=FAILED)
    sheet = openpyxl.load_workbook(io.BytesIO(twice)).active
    assert (sheet.max_column, sheet["D2"].value, sheet["D4"].value) == (9, "succeeded", "failed")


def again(content: bytes, **results: Result) -> bytes:
    """As a batch writes them: what people wrote stays theirs."""
    table, columns = read(content)
    leave_to_people(table, columns)
    return with_results(content, table, columns, {int(name[1:]): result for name, result in results.items()})


def test_a_songs_own_credits_and_status_are_never_written_into() -> None:
    before = comma_separated([["Audio", "Image", "Credits", "Status"], [AUDIO, COVER, "Mia, Ada", "approved"]])
    once = again(before, r2=DONE)
    head = "Audio,Image,Credits,Status"
    assert once.decode().splitlines() == [
        f"{head},Status,Video URL,Credits,Task ID,Error,Finished at",
        f'{AUDIO},{COVER},"Mia, Ada",approved,succeeded,https://v.example/1.mp4,75.50,task_1,,',
    ]
    table, columns = read(once)
    leave_to_people(table, columns)
    assert columns.results["credits"] == 6
    assert set(columns.facts.values()) == {"credits", "status"}
    assert again(once, r2=DONE) == once, "our own columns are used again"


def test_a_heading_that_waits_for_results_is_used_and_a_failed_start_is_not_taken_for_a_persons() -> None:
    prepared = comma_separated([["Audio", "Image", "Status"], [AUDIO, COVER, ""]])
    once = again(prepared, r2=Result(status="invalid", error="A2: is required"))
    assert once.count(b"Status") == 1
    assert again(once, r2=DONE).count(b"Status") == 1


def test_an_earlier_link_stays_where_a_row_was_not_asked_for_again() -> None:
    once = again(xlsx(ROWS), r2=DONE)
    skipped = openpyxl.load_workbook(io.BytesIO(again(once, r2=Result(status="skipped", error="changed")))).active
    assert [cell.value for cell in skipped[2]][3:8] == ["skipped", "https://v.example/1.mp4", 75.5, "task_1", "changed"]


def test_an_error_message_is_text_whatever_stands_in_it() -> None:
    told = Result(status="failed", task_id="task_1", error='<b> & "c" ]]>')
    assert openpyxl.load_workbook(io.BytesIO(written(xlsx(ROWS), r2=told))).active["H2"].value == told.error


def test_a_formula_in_a_result_column_is_not_overwritten() -> None:
    content = xlsx([["Audio", "Image", "Status"], [AUDIO, COVER, "=1+1"]])
    with pytest.raises(SheetError, match="C2 holds a formula"):
        write_workbook(content, "Songs", {2: {2: "succeeded"}})


def test_what_cannot_be_written_into_comes_as_a_csv_beside_it() -> None:
    rows = [["Audio", "Image", "Status", "Note"], [AUDIO, COVER, "=1+1", " @now"], [], ["", "", "", -5]]
    sheet = written(xlsx(rows), r2=DONE)
    assert beside(Path("my songs.xlsx"), sheet) == Path("my songs.result.csv")
    assert beside(Path("my songs.xlsx"), xlsx(rows)) == Path("my songs.result.xlsx")
    assert beside(Path("songs.txt"), sheet) == Path("songs.result.txt")
    lines = sheet.decode("utf-8-sig").splitlines()
    assert lines[0] == "Audio,Image,Status,Note,Video URL,Credits,Task ID,Error,Finished at"
    assert lines[1] == f"{AUDIO},{COVER},succeeded,' @now,https://v.example/1.mp4,75.50,task_1,,"
    assert (lines[2], lines[3]) == (",,,", ",,,-5")


def test_styles_charts_and_foreign_parts_survive() -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx([[*ROWS[0], "Status"], [*ROWS[1], "ready"]])))
    book.active["D2"].font = openpyxl.styles.Font(bold=True)
    chart = openpyxl.chart.BarChart()
    chart.add_data(openpyxl.chart.Reference(book.active, min_col=1, min_row=1, max_row=2))
    book.active.add_chart(chart, "K1")
    packed = io.BytesIO()
    book.save(packed)
    with zipfile.ZipFile(packed, "a") as extended:
        extended.writestr("xl/featurePropertyBag/featurePropertyBag.xml", b"<checkboxes/>")
    after = written(packed.getvalue(), r2=DONE)
    with zipfile.ZipFile(io.BytesIO(after)) as new, zipfile.ZipFile(packed) as old:
        assert all(new.read(n) == old.read(n) for n in old.namelist() if not n.startswith("xl/worksheets/sheet"))
    sheet = openpyxl.load_workbook(io.BytesIO(after)).active
    assert (sheet["D2"].value, sheet["D2"].font.bold, len(sheet._charts)) == ("succeeded", True, 1)


@pytest.mark.parametrize(
    "data",
    [
        "<sheetData/>",
        '<sheetData><row r="1"/><row r="3"><c r="B3" t="inlineStr"><is><t>x</t></is></c></row></sheetData>',
        '<sheetData><row><c t="inlineStr"><is><t>a > b</t></is></c></row></sheetData>',
        '<x:sheetData xmlns:x="n"><x:row r="2" note="a>b"><x:c r="A2"/></x:row></x:sheetData>',
    ],
)
def test_sheets_as_odd_programs_write_them(data: str) -> None:
    from relay.sheets.sheet_xml import patch_sheet

    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet xmlns="m"><dimension ref="A1"/>{data}</worksheet>'
    prefix = "x:" if "x:" in data else ""
    after = patch_sheet(xml.encode(), {2: {0: "é", 3: Decimal("1.50")}, 1: {3: "t"}}).decode()
    rows = after.split(f"<{prefix}row")[1:]
    assert f'<{prefix}c r="D1" t="inlineStr">' in rows[0]
    assert f'<{prefix}c r="A2" t="inlineStr"><{prefix}is><{prefix}t xml:space="preserve">é<' in rows[1]
    assert f'<{prefix}c r="D2"><{prefix}v>1.50</{prefix}v></{prefix}c>' in rows[1]
    assert 'dimension ref="A1:D2"' in after


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_gets_its_results_and_keeps_every_other_byte(encoding: str) -> None:
    text = (
        '"Audio"; Image ;Note\r\nhttps://a.example/1.mp3;"https://a.example/1.png";"é;x"\r\n\r\nb;c;"two\r\nlines"\r\n'
    )
    before = ("\ufeff" + text).encode("utf-16-le") if encoding == "utf-16" else text.encode(encoding)
    after = written(before, r2=DONE, r4=FAILED)
    assert after.decode(encoding) == (
        '"Audio"; Image ;Note;Status;Video URL;Credits;Task ID;Error;Finished at\r\n'
        'https://a.example/1.mp3;"https://a.example/1.png";"é;x";succeeded;https://v.example/1.mp4;75.50;task_1;;\r\n'
        "\r\n"
        "b;c;\"two\r\nlines\";failed;;;;'=cmd|' /C calc'!A0 \x01bad;\r\n"
    )


def test_a_csv_without_a_last_newline_and_short_rows() -> None:
    after = written(b"audio,image,note\nx\ny,z", r2=DONE, r3=FAILED)
    assert after.splitlines()[1].startswith(b"x,,,succeeded,")
    assert after.splitlines()[2].startswith(b"y,z,,failed,")


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from('a,;"\r\n '), max_size=60), delimiter=st.sampled_from(",;"))
def test_a_csv_taken_apart_and_joined_is_the_same(text: str, delimiter: str) -> None:
    assert "".join(delimiter.join(fields) + end for fields, end in split(text, delimiter)) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "  =1", "\uff1d1"])
def test_what_could_be_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert harmless("a=1") == "a=1"


def test_a_file_in_use_or_changed_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "songs.xlsx"
    path.write_bytes(b"as read")
    assert may_replace(path, digest(b"as read")) == ""
    assert "changed since" in may_replace(path, digest(b"other"))
    (tmp_path / "~$songs.xlsx").touch()
    assert "is open in a spreadsheet program" in may_replace(path, digest(b"as read"))
    assert beside(path).name == "songs.result.xlsx"


def test_a_file_is_written_whole_with_the_rights_it_had(tmp_path: Path) -> None:
    path = tmp_path / "songs.csv"
    path.write_bytes(b"before")
    path.chmod(0o640)
    write_whole(path, b"after")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"after", 0o640)
    assert [file.name for file in tmp_path.iterdir()] == ["songs.csv"]
    with pytest.raises(SheetError, match="cannot be written: No such file"):
        write_whole(tmp_path / "nowhere" / "x.csv", b"")


def test_comma_separated_is_read_back(tmp_path: Path) -> None:
    after = written(comma_separated(ROWS), r2=DONE)
    table, columns = read(after)
    assert columns.results["status"] == 3
    assert table.lines[1].cells[3] == "succeeded"
