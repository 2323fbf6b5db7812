"""A Google sheet through a whole line: a row in, a video out, its cells updated; and hints that are signed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.standard_webhooks import decode_secret, sign
from relay.settings import SheetSettings
from tests.fakes.google_sheets import SheetsFake
from tests.google import robot
from tests.integration.conftest import Line, wait_for
from tests.servers import running
from tests.watched import HEADER, song

Start = Callable[..., Line]
PUSH = "whsec_c2lnbnMgdGhlIGhpbnRzIG9mIHRoZSBzY3JpcHQ="


@pytest.fixture
def google() -> Iterator[tuple[SheetsFake, str]]:
    fake = SheetsFake()
    fake.rows.append(list(HEADER))
    with running(fake) as url:
        yield fake, url


def watch(start: Start, url: str, **settings: Any) -> Line:
    sheet = SheetSettings(
        **{"name": "songs", "connection": "google", "every": 1.0, "settle": 0.0, "push_secret": PUSH, **settings}
    )
    connection = {"connector": "google_sheets", **robot(url, spreadsheet="sheet_1")}
    return start(
        recipe="",
        sheets={"songs": sheet},
        connections={"google": connection},
        allow_private=[url.removeprefix("http://")],
    )


def status(fake: SheetsFake, number: int) -> str:
    at = fake.rows[0].index("Status") if "Status" in fake.rows[0] else 99
    row = fake.rows[number - 1]
    return row[at] if at < len(row) else ""


def hint(line: Line, secret: str = PUSH, name: str = "songs", at: float | None = None) -> int:
    body, sent = b'{"row":2}', str(int(at or time.time()))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": sent,
        "webhook-signature": sign([decode_secret(secret)], "msg_1", int(sent), body),
    }
    return line.client.post(f"/webhooks/sheets/{name}", content=body, headers=headers).status_code


def test_a_row_becomes_a_video_whose_link_stands_beside_it(start: Start, google: tuple[SheetsFake, str]) -> None:
    fake, url = google
    fake.rows.extend([song(1), song(2, "round")])
    line = watch(start, url)
    wait_for(lambda: status(fake, 2) == "succeeded", "the first row's end", 60)
    fake.rows.insert(1, song(3))
    wait_for(lambda: status(fake, 2) == "succeeded", "the inserted row's end", 60)
    cells = dict(zip(fake.rows[0], fake.rows[2], strict=True))
    assert cells["Video URL"].startswith(f"{line.url}/media/med_")
    assert cells["Credits"] > 0
    assert status(fake, 4) == "invalid"
    assert line.ledger()["creates"] == 2
    (one,) = line.client.get("/relay/v1/sheets").json()["data"]["data"]
    assert (one["states"], one["problem"], one["held"]) == ({"invalid": 1, "taken": 2}, "", {})
    story = line.story(cells["Task ID"])
    assert story["task"]["status"] == "succeeded"


def test_a_hint_that_is_signed_reads_the_sheet_at_once(start: Start, google: tuple[SheetsFake, str]) -> None:
    fake, url = google
    line = watch(start, url, every=3600.0)
    wait_for(lambda: "spreadsheets.values.get" in fake.calls, "the first reading")
    fake.rows.append(song(1))
    assert hint(line, at=time.time() - 400) == 401
    assert hint(line, secret="whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U=") == 401
    assert hint(line, name="nothing") == 401
    assert hint(line) == 202
    wait_for(lambda: status(fake, 2) in ("queued", "processing", "succeeded"), "the row to be taken")


def test_a_sheet_is_planned_without_effect(start: Start, google: tuple[SheetsFake, str]) -> None:
    fake, url = google
    line = watch(start, url, cron="0 0 1 1 *")
    fake.rows.extend([song(1), song(1), song(2, "round")])
    before = [list(row) for row in fake.rows]
    plan = line.client.get("/relay/v1/sheets/songs/plan").json()["data"]
    assert plan["counts"] == {"new": 1, "known": 0, "changed": 0, "waiting": 0, "twin": 1, "invalid": 1}
    assert plan["rows"][2]["problems"][0]["cell"] == "D4"
    assert (plan["quote"]["least"], plan["quote"]["most"]) == (50, 900)
    assert fake.rows == before
    assert line.client.post("/relay/v1/sheets/songs/run").json()["data"]["taken"] == 2
    assert line.client.get("/relay/v1/sheets/nope/plan").json()["error"]["message"].startswith("no sheet 'nope'")
