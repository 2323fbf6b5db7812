"""Any file that people call a spreadsheet becomes the same table, or a sentence that says why not."""

import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook

from relay.sheets import SheetError, match, plan_rows, read_table
from relay.sheets.table import letters
from tests.unit.sheets.books import comma_separated, xlsx

ROWS = [["Título", "Audio"], ["Señal, vivo", "https://a.example/1.mp3"], ["two\nlines", 'a "quote"']]


def cells(content: bytes, sheet: str | None = None) -> list[list[str]]:
    return [line.cells for line in read_table(content, sheet).lines]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_usual_encoding_and_delimiter_gives_the_same_cells(encoding: str, delimiter: str) -> None:
    assert cells(comma_separated(ROWS, encoding=encoding, delimiter=delimiter)) == ROWS


def test_excels_separator_line_is_no_row() -> None:
    assert cells(b"sep=;\r\nTitle;Audio\r\nA,B;x\r\n") == [["Title", "Audio"], ["A,B", "x"]]


def test_a_workbook_reads_like_the_csv_of_it() -> None:
    typed = [
        ["id", "length", "on", "when", "share"],
        [1.0, timedelta(minutes=2, seconds=5), True, date(2026, 11, 5), 0.5],
    ]
    assert cells(xlsx(typed))[1] == ["1", "00:02:05", "true", "2026-11-05", "0.5"]
    moment = datetime(2026, 11, 5, 9, 30)  # noqa: DTZ001 (a cell has no zone)
    assert cells(xlsx([["t"], [moment]]))[1] == ["2026-11-05 09:30:00"]


def test_formulas_count_by_their_values_and_the_first_visible_sheet_is_read() -> None:
    table = read_table((Path(__file__).parent / "ugly" / "merged_dates_formulas.xlsx").read_bytes())
    assert table.name == "June"
    by_number = {line.number: line.cells for line in table.lines}
    assert by_number[4][:4] == [
        "Mia",
        "2026-06-01",
        "https://media.example.com/1.mp3",
        "https://media.example.com/1.png",
    ]
    assert by_number[5][0] == "Mia", "merged over two rows"


def package(name: str) -> bytes:
    """A ZIP that is no workbook."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "x")
    return packed.getvalue()


def formulas(cells: str) -> bytes:
    """A workbook whose second row is ``cells``, as XML."""
    given, packed = io.BytesIO(xlsx([["Audio", "Cover", "Cover 2", "Prompt", "Artist"], ["x"]])), io.BytesIO()
    with zipfile.ZipFile(given) as before, zipfile.ZipFile(packed, "w") as after:
        for entry in before.infolist():
            part = before.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                head, _, tail = part.partition(b'<row r="2"')
                part = head + f'<row r="2">{cells}</row>'.encode() + tail.partition(b"</row>")[2]
            after.writestr(entry, part)
    return packed.getvalue()


def test_a_formula_without_a_value_is_no_empty_cell() -> None:
    """Each as some program writes it: an error, one that was never reckoned (twice), an empty text, a shared one."""
    sheet = formulas(
        '<c r="A2" t="inlineStr"><is><t>https://a.example/1.mp3</t></is></c>'
        '<c r="B2" t="str"><f>"https://a.example/"&amp;1&amp;".png"</f><v>https://a.example/1.png</v></c>'
        '<c r="C2" t="e"><f>VLOOKUP(1,Z1:Z2,1)</f><v>#N/A</v></c>'
        '<c r="D2"><f>CONCATENATE("a ","b")</f><v></v></c>'
        '<c><f t="shared" si="0"/></c>'
        '<c t="str"><f>IF(1,"")</f><v></v></c>'
    )
    table = read_table(sheet)
    assert table.lines[1].cells[2:] == ["#N/A", '#NOT SAVED: =CONCATENATE("a ","b")', "#NOT SAVED: =", ""]
    (row,) = plan_rows(table, match(table))
    assert [(problem.cell, problem.value, problem.rule) for problem in row.problems] == [
        ("C2", "#N/A", "is the error of a formula"),
        ("D2", '=CONCATENATE("a ","b")', "is a formula whose value was not saved"),
    ]
    assert row.facts == {"artist": ""}


def test_a_link_behind_a_title_counts_and_what_can_be_used_itself_comes_first() -> None:
    book = Workbook()
    book.active.append(["Audio", "Cover", "Cover 2", "Title"])
    book.active.append(["Rooftop (final)", "cover", "./two.png", "Rooftop"])
    for cell, target in (("A2", "1.mp3"), ("B2", "1.png"), ("C2", "other.png"), ("D2", "page")):
        book.active[cell].hyperlink = f"https://m.example.com/{target}"
    book.active.append(["not linked", "mail", "", ""])
    book.active["B3"].hyperlink = "mailto:mia@example.com"
    packed = io.BytesIO()
    book.save(packed)
    table = read_table(packed.getvalue())
    linked, other = plan_rows(table, match(table))
    assert linked.request == {
        "audio_url": "https://m.example.com/1.mp3",
        "images": ["https://m.example.com/1.png", "./two.png"],
    }
    assert (linked.facts, linked.problems) == ({"title": "Rooftop"}, [])
    assert [(problem.cell, problem.value) for problem in other.problems] == [("A3", "not linked"), ("B3", "mail")]


def test_a_row_of_nothing_but_formulas_without_values_is_no_blank_row() -> None:
    table = read_table(formulas('<c r="A2"><f>Z1</f></c><c r="B2"><f>Z2</f></c>'))
    (row,) = plan_rows(table, match(table))
    assert [problem.cell for problem in row.problems] == ["A2", "B2"]


def test_a_sheet_of_one_row_is_read() -> None:
    assert cells(xlsx([["Audio", "Image"]])) == [["Audio", "Image"]]


def test_row_numbers_are_those_that_people_see() -> None:
    lines = read_table(xlsx([["Title"], [], ["x"]])).lines
    assert [(line.number, line.blank) for line in lines] == [(1, False), (2, True), (3, False)]


def test_a_value_merged_over_rows_holds_for_each_of_them() -> None:
    rows = [["Cover", "Title"], ["c.png", "a"], [None, "b"], [None, "c"]]
    assert [row[0] for row in cells(xlsx(rows, merge=["A2:A4"]))] == ["Cover", "c.png", "c.png", "c.png"]


def test_a_sheet_is_chosen_by_name_in_any_case() -> None:
    content = xlsx([["x"]], title="Summer 26")
    assert read_table(content, "summer 26").name == "Summer 26"
    with pytest.raises(SheetError, match="there is no sheet 'winter'; there is: Summer 26"):
        read_table(content, "winter")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "empty"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"\xef\xbb\xbf\r\n<HTML><body><table>", "is a web page, whatever its name says; open it and save it as XLSX"),
        (b'<?xml version="1.0"?><Workbook>', "an XML document"),
        (b'[ {"song": "x"}]', "is JSON"),
        (b"\x89PNG\r\n\x1a\n\x00", "is an image"),
        (b"ID3\x04\x00", "is a song"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "by a password"),
        (package("Index/Document.iwa"), "of Apple Numbers .*; choose Export To, Excel"),
        (package("word/document.xml"), "a document of Word"),
        (package("x.txt"), "cannot be read: .*; open it and save it again as XLSX"),
        (b"PK\x03\x04 not a zip", "cannot be read|damaged"),
        (b"a,b\x00,c\nd,e,f", "NUL"),
    ],
)
def test_what_is_no_table_is_said(content: bytes, message: str) -> None:
    with pytest.raises(SheetError, match=message):
        read_table(content)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "一个歌手站在屋顶"),
        ("shift_jis", "雨の屋上の歌手"),
        ("cp1251", "Певица на крыше"),
        ("cp1253", "τραγουδίστρια"),
    ],
)
def test_letters_that_would_have_to_be_guessed_are_refused(encoding: str, text: str) -> None:
    """A prompt of wrong letters would be paid for."""
    with pytest.raises(SheetError, match="save it as `CSV UTF-8` or XLSX"):
        read_table(f"Audio,Image,Prompt\n,,{text}\n".encode(encoding))


@pytest.mark.parametrize("text", ["„Über“ — naïve façade", "ÆØÅ", "Niño, ¿qué?", "Œuvre d'été créée", "5 € … 10 €"])
def test_letters_of_western_europe_are_read(text: str) -> None:
    assert cells(f"Prompt,Mood\n{text},Übermut\n".replace(", ¿", " ¿").encode("cp1252"))[1][1] == "Übermut"


def test_a_csv_of_an_old_mac_is_read() -> None:
    assert cells("Audio,Prompt\rx,café\r".encode("mac_roman")) == [["Audio", "Prompt"], ["x", "café"]]


def test_a_sheet_without_a_header_names_the_others() -> None:
    book = Workbook()
    book.active.title = "Notes"
    book.active.append(["Read me first"])
    book.create_sheet("Songs").append(["Audio", "Image"])
    book.create_sheet("Old").sheet_state = "hidden"
    packed = io.BytesIO()
    book.save(packed)
    with pytest.raises(
        SheetError, match=r"'Read me first'\. This is the sheet 'Notes'; choose one of the others: Songs$"
    ):
        match(read_table(packed.getvalue()))


def test_a_csv_has_no_sheets() -> None:
    with pytest.raises(SheetError, match="a CSV has no sheets"):
        read_table(b"a,b\n1,2\n", "first")


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/worksheets/sheet1.xml", b" " * 60_000_000)
    with pytest.raises(SheetError, match="unpacks to 60000000 bytes"):
        read_table(packed.getvalue())


@pytest.mark.parametrize(
    ("name", "most", "message"),
    [("read.MOST_BYTES", 20, "50 bytes"), ("read.MOST_ROWS", 2, "3 rows"), ("workbook.MOST_COLUMNS", 1, "columns")],
)
def test_what_is_larger_than_any_sheet_of_songs_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int, message: str
) -> None:
    monkeypatch.setattr(f"relay.sheets.{name}", most)
    content = xlsx([["a", "b", "c"]]) if "workbook" in name else b"Audio,Image\n" + b"https://m.example,\n" * 2
    with pytest.raises(SheetError, match=message):
        read_table(content)


def test_columns_are_named_as_in_a_spreadsheet() -> None:
    assert [letters(column) for column in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
