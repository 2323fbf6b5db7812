"""Google's own client against our fakes: what it cannot do, the connectors must not rely on."""

import hashlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload

from tests.fakes.google_drive import FOLDER, UNIT, DriveFake
from tests.fakes.google_sheets import SheetsFake
from tests.fakes.google_wire import Fault
from tests.servers import running

CONTENT = os.urandom(3 * UNIT + 77)


@pytest.fixture
def drive() -> Iterator[tuple[DriveFake, Any]]:
    fake = DriveFake()
    fake.add_folder("shared_root", "Releases", drive="shared_root")
    with running(fake) as url:
        credentials = Credentials("test-token")
        service = build(
            "drive",
            "v3",
            credentials=credentials,
            static_discovery=True,
            client_options={"api_endpoint": f"{url}/drive/v3/"},
        )
        service._rootDesc["rootUrl"] = f"{url}/"
        yield fake, service
        service.close()


def upload(service: Any, file: str) -> dict[str, Any]:
    media = MediaIoBaseUpload(io.BytesIO(CONTENT), "video/mp4", chunksize=UNIT, resumable=True)
    body = {"id": file, "name": "v.mp4", "parents": ["shared_root"]}
    request = service.files().create(
        body=body, media_body=media, supportsAllDrives=True, fields="id,size,sha256Checksum,md5Checksum"
    )
    request.uri = request.uri.replace("https://", "http://")
    response = None
    while response is None:
        _, response = request.next_chunk()
    return response


def new_id(service: Any) -> str:
    return service.files().generateIds(count=1).execute()["ids"][0]


def test_a_resumable_upload_with_partial_persistence(drive: tuple[DriveFake, Any]) -> None:
    fake, service = drive
    fake.fail("upload.piece", Fault(), Fault(keep=0))
    file = new_id(service)
    answer = upload(service, file)
    assert answer == {
        "id": file,
        "size": str(len(CONTENT)),
        "sha256Checksum": hashlib.sha256(CONTENT).hexdigest(),
        "md5Checksum": hashlib.md5(CONTENT).hexdigest(),
    }
    assert fake.contents[file] == CONTENT
    assert fake.calls.count("upload.piece") == 5


def test_an_id_is_accepted_once(drive: tuple[DriveFake, Any]) -> None:
    _, service = drive
    file = new_id(service)
    upload(service, file)
    with pytest.raises(HttpError) as caught:
        upload(service, file)
    assert caught.value.status_code == 409
    with pytest.raises(HttpError, match="not usable"):
        upload(service, "made-up")


def test_folders_search_sharing_and_deleting(drive: tuple[DriveFake, Any]) -> None:
    fake, service = drive
    folder = {"id": new_id(service), "name": "It's", "mimeType": FOLDER, "parents": ["shared_root"]}
    service.files().create(body=folder, supportsAllDrives=True).execute()
    known = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
    query = "name = 'It\\'s' and 'shared_root' in parents and trashed = false"
    found = service.files().list(q=query, corpora="drive", driveId="shared_root", fields="files(id,name)", **known)
    assert found.execute()["files"] == [{"id": folder["id"], "name": "It's"}]
    assert service.files().list(q=query, fields="files(id)").execute() == {"files": []}
    file = new_id(service)
    upload(service, file)
    service.permissions().create(
        fileId=file, body={"type": "anyone", "role": "reader"}, supportsAllDrives=True
    ).execute()
    assert fake.permissions[file] == [{"type": "anyone", "role": "reader"}]
    with pytest.raises(HttpError, match="File not found"):
        service.files().get(fileId=file).execute()
    service.files().delete(fileId=file, supportsAllDrives=True).execute()
    assert fake.videos == []


def test_a_service_account_owns_no_files(drive: tuple[DriveFake, Any]) -> None:
    _, service = drive
    with pytest.raises(HttpError, match="do not have storage quota"):
        service.files().create(body={"name": "v", "mimeType": FOLDER}).execute()
    assert service.about().get(fields="user").execute()["user"]["emailAddress"].startswith("relay@")


@pytest.fixture
def sheets() -> Iterator[tuple[SheetsFake, Any]]:
    fake = SheetsFake()
    with running(fake) as url:
        options = {"api_endpoint": url}
        service = build(
            "sheets", "v4", credentials=Credentials("test-token"), static_discovery=True, client_options=options
        )
        yield fake, service
        service.close()


def test_values_are_read_written_and_appended(sheets: tuple[SheetsFake, Any]) -> None:
    fake, service = sheets
    known, values = {"spreadsheetId": "sheet_1"}, service.spreadsheets().values()
    data = [{"range": "'Videos'!A1", "values": [["Title", "Link"]]}, {"range": "B2", "values": [["=1+1"]]}]
    values.batchUpdate(**known, body={"valueInputOption": "RAW", "data": data}).execute()
    assert fake.rows == [["Title", "Link"], ["", "=1+1"]]
    appended = values.append(
        **known,
        range="'Videos'!A1:B1",
        valueInputOption="RAW",
        insertDataOption="INSERT_ROWS",
        body={"values": [["Neon", None]]},
    ).execute()
    assert appended["updates"]["updatedRange"] == "'Videos'!A3:B3"
    column = values.get(**known, range="Videos!A2:A", majorDimension="COLUMNS").execute()
    assert column["values"] == [["", "Neon"]]
    assert service.spreadsheets().get(**known).execute()["properties"]["title"] == "Campaign"


def test_a_whole_tab_is_read_and_widened(sheets: tuple[SheetsFake, Any]) -> None:
    fake, service = sheets
    known, values = {"spreadsheetId": "sheet_1"}, service.spreadsheets().values()
    fake.tabs["It's new"] = []
    data = [{"range": "'It''s new'!B2:D2", "values": [["Audio", True, 1.5]]}]
    values.batchUpdate(**known, body={"valueInputOption": "RAW", "data": data}).execute()
    answer = values.get(
        **known,
        range="'It''s new'",
        valueRenderOption="UNFORMATTED_VALUE",
        dateTimeRenderOption="FORMATTED_STRING",
    ).execute()
    assert answer == {"range": "'It''s new'!A1:Z1000", "values": [[], ["", "Audio", True, 1.5]]}
    assert values.get(**known, range="'It''s new'!B2:C").execute()["values"] == [["Audio", True]]
    data = [{"range": "'It''s new'!AA1", "values": [["Status"]]}]
    with pytest.raises(HttpError, match="exceeds grid limits"):
        values.batchUpdate(**known, body={"valueInputOption": "RAW", "data": data}).execute()
    properties = service.spreadsheets().get(**known).execute()["sheets"][1]["properties"]
    assert properties["gridProperties"] == {"rowCount": 1000, "columnCount": 26}
    more = {"sheetId": properties["sheetId"], "dimension": "COLUMNS", "length": 2}
    service.spreadsheets().batchUpdate(**known, body={"requests": [{"appendDimension": more}]}).execute()
    values.batchUpdate(**known, body={"valueInputOption": "RAW", "data": data}).execute()
    assert values.get(**known, range="'It''s new'!AA1:AB2").execute()["values"] == [["Status"]]
    data = [{"range": "'It''s new'!A5:B5", "values": [["a", "b", "c"]]}]
    with pytest.raises(HttpError, match="tried more"):
        values.batchUpdate(**known, body={"valueInputOption": "RAW", "data": data}).execute()


def test_what_sheets_refuses(sheets: tuple[SheetsFake, Any]) -> None:
    _, service = sheets
    values = service.spreadsheets().values()
    data = [{"range": "A1", "values": [["x"]]}]
    with pytest.raises(HttpError, match="valueInputOption"):
        values.batchUpdate(spreadsheetId="sheet_1", body={"data": data}).execute()
    with pytest.raises(HttpError, match="Unable to parse range"):
        values.get(spreadsheetId="sheet_1", range="Nope!A1").execute()
    with pytest.raises(HttpError, match="Cannot find field"):
        values.batchUpdate(spreadsheetId="sheet_1", body={"valueInputOption": "RAW", "rows": []}).execute()
    with pytest.raises(HttpError, match="not found"):
        values.get(spreadsheetId="another", range="A1").execute()
