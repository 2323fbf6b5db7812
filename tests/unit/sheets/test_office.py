"""A sheet that LibreOffice saved again is the same sheet, and what we write into one is seen there."""

import io
import zipfile
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openpyxl.chart import BarChart, Reference
from openpyxl.formatting.rule import CellIsRule, DataBarRule
from openpyxl.styles import PatternFill, Protection
from openpyxl.worksheet.datavalidation import DataValidation

from relay.sheets import match, read_table
from relay.sheets.put import with_results
from relay.sheets.results import Result
from tests.unit.sheets.books import AUDIO, COVER, comma_separated, xlsx
from tests.unit.sheets.office import UTF8, Office
from tests.unit.sheets.office import office as office
from tests.unit.sheets.test_plan import VALUES, as_typed, planned

TARGETS = (UTF8, "ods", "xls", "xlsx")
TEMPTING = [
    "007",
    "1e5",
    "1/2",
    "12:30",
    "2026-01-02",
    "50%",
    "TRUE",
    "'x",
    '"',
    "a  b",
    "a\nb",
    "a\tb",
    "歌 🎬",
    "+1",
    "@x",
]
"""Prompts that a spreadsheet program likes to take for something else."""
BAG = "http://schemas.microsoft.com/office/spreadsheetml/2022/featurepropertybag"
CHECKBOXES = f"""<FeaturePropertyBags xmlns="{BAG}"><bag type="Checkbox"/>
<bag type="XFControls"><bagId k="CellControl">0</bagId></bag>
<bag type="XFComplement"><bagId k="XFControls">1</bagId></bag>
<bag type="XFComplements" extRef="XFComplementsMapperExtRef"><a k="MappedFeaturePropertyBags"><bagId>2</bagId></a></bag>
</FeaturePropertyBags>"""


@settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(songs=st.lists(st.fixed_dictionaries(VALUES), min_size=30, max_size=30), order=st.permutations(list(VALUES)))
@pytest.mark.parametrize("target", TARGETS, ids=["csv", "ods", "xls", "xlsx"])
def test_a_sheet_saved_again_has_the_same_keys(
    office: Office, target: str, songs: list[dict[str, str]], order: list[str]
) -> None:
    songs = [*songs, *({**songs[0], "prompt": text} for text in TEMPTING)]
    plain = planned(comma_separated([list(VALUES), *([song[name] for name in VALUES] for song in songs)]))
    typed = xlsx([order, *([as_typed(song[name]) for name in order] for song in songs)])
    again = planned(office.saved(typed, "xlsx", target))
    assert [row.key for row in again] == [row.key for row in plain]
    assert [row.fingerprint for row in again] == [row.fingerprint for row in plain]


@pytest.mark.parametrize("target", ["ods", "xls"])
def test_results_of_a_sheet_of_another_kind_come_as_a_csv_with_the_same_keys(office: Office, target: str) -> None:
    before = office.saved(comma_separated([["id", "Audio", "Image"], [1, AUDIO, COVER]]), "csv", target)
    table = read_table(before)
    done = Result(status="succeeded", video_url="https://v.example/1.mp4", task_id="task_1")
    after = with_results(before, table, match(table), {2: done})
    assert b",succeeded,https://v.example/1.mp4," in after
    assert [(row.key, row.fingerprint) for row in planned(after)] == [
        (row.key, row.fingerprint) for row in planned(before)
    ]


def test_a_csv_saved_as_a_workbook_has_the_same_keys(office: Office) -> None:
    content = comma_separated([["id", "Audio", "Image", "Length"], [1, AUDIO, COVER, 15], [2, AUDIO, COVER, "1:00"]])
    again = planned(office.saved(content, "csv", "xlsx"))
    assert [(row.key, row.request["duration"]) for row in again] == [("id:1", 15), ("id:2", 60)]
    assert [row.fingerprint for row in again] == [row.fingerprint for row in planned(content)]


def a_persons_workbook() -> bytes:
    """With all that a person adds: a chart, bars and colours by condition, a list to choose from, checkboxes."""
    book = openpyxl.load_workbook(
        io.BytesIO(xlsx([["Audio", "Image", "Plays", "Wanted", "Status"], [AUDIO, COVER, 7, True], []]))
    )
    sheet = book.active
    sheet.append([AUDIO + "?2", COVER, 9, None, "ready"])
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=1, max_row=4), titles_from_data=True)
    sheet.add_chart(chart, "M2")
    green = PatternFill(bgColor="00FF00")
    sheet.conditional_formatting.add("E2:E99", CellIsRule(operator="equal", formula=['"succeeded"'], fill=green))
    sheet.conditional_formatting.add("C2:C99", DataBarRule("min", 0, "max", 9, color="FF638EC6"))
    choice = DataValidation(type="list", formula1='"ready,hold"')
    choice.add("C2:C99")
    sheet.add_data_validation(choice)
    sheet["D2"].protection = Protection(locked=False)  # a style of its own, which the checkbox goes with
    packed = io.BytesIO()
    book.save(packed)
    return with_checkboxes(packed.getvalue())


def with_checkboxes(content: bytes) -> bytes:
    """The last style shows TRUE and FALSE as a checkbox, written as Excel writes it; openpyxl knows of none."""
    ext = f'<ext xmlns:xfpb="{BAG}" uri="{{C7286773-470A-42A8-94C5-96B5CB345126}}"><xfpb:xfComplement i="0"/></ext>'
    part, kind = "xl/featurePropertyBag/featurePropertyBag.xml", "application/vnd.ms-excel.featurepropertybag+xml"
    relation = "http://schemas.microsoft.com/office/2022/11/relationships/FeaturePropertyBag"
    added = {
        "[Content_Types].xml": ("</Types>", f'<Override PartName="/{part}" ContentType="{kind}"/></Types>'),
        "xl/_rels/workbook.xml.rels": (
            "</Relationships>",
            f'<Relationship Id="rIdBag" Type="{relation}" Target="/{part}"/></Relationships>',
        ),
        "xl/styles.xml": ("</xf></cellXfs>", f"<extLst>{ext}</extLst></xf></cellXfs>"),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            before, (end, more) = old.read(name).decode(), added.get(name, ("", ""))
            assert end in before, name
            new.writestr(name, before.replace(end, more) if end else before)
        new.writestr(part, CHECKBOXES)
    return packed.getvalue()


def test_results_are_seen_in_libreoffice_beside_all_that_a_person_made(office: Office) -> None:
    content = a_persons_workbook()
    table = read_table(content)
    done = Result(status="succeeded", video_url="https://v.example/1.mp4", credits=Decimal("75.50"), task_id="task_1")
    written = with_results(content, table, match(table), {2: done, 4: Result(status="failed", error="=1+1")})
    seen = openpyxl.load_workbook(io.BytesIO(office.saved(written, "xlsx", "xlsx"))).active
    assert [cell.value for cell in seen[1]][4:] == [
        *("Status", "Video URL", "Credits", "Task ID", "Error", "Finished at")
    ]
    assert seen["D2"].value in (True, "=TRUE()")
    assert [cell.value for cell in seen[2]][4:8] == ["succeeded", "https://v.example/1.mp4", 75.5, "task_1"]
    assert [(cell.value, cell.data_type) for cell in seen[4]][8] == ("=1+1", "s"), "text, not a formula"
    assert len(seen._charts) == 1
    rules = [rule.type for ranges in seen.conditional_formatting for rule in ranges.rules]
    assert sorted(rules) == ["cellIs", "dataBar"]
    assert [one.formula1 for one in seen.data_validations.dataValidation] == ['"ready,hold"']


def test_a_page_can_be_printed_of_it(office: Office) -> None:
    content = a_persons_workbook()
    table = read_table(content)
    written = with_results(content, table, match(table), {2: Result(status="succeeded")})
    assert office.saved(written, "xlsx", "pdf").startswith(b"%PDF")
