"""What Zapier, Make, n8n and Pipedream get, to the letter."""

import json
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import Reject
from connectors.http import HttpConfig
from tests.unit.connectors.test_http import Server, deliver, error_of
from tests.unit.connectors.test_http import server as server
from tests.unit.connectors.test_http import way as way

pytestmark = pytest.mark.anyio
TOOLS = ("zapier", "make", "n8n", "pipedream")
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "type": "task.succeeded",
    "created_at": 1784188934,
    "revision": 1,
    "task": {
        "id": "task_1",
        "status": "succeeded",
        "workflow": "music-video",
        "created_at": 1784188800,
        "completed_at": 1784188934,
        "output": {"media": [{"type": "video", "url": "https://media.example.com/v.mp4"}]},
        "storyboard": {"shots": [{"id": "shot_1"}]},
        "usage": {
            "credits_charged": Decimal("7.50"),
            "credits_refunded": Decimal(0),
            "billable_duration_seconds": Decimal("15.2"),
        },
        "error_code": None,
        "error_message": None,
    },
    "row": {"title": "Straße", "artist": "Mia"},
    "media": [
        {
            "url": "https://relay.example.com/media/med_1/task_1.mp4",
            "source_url": "https://media.example.com/v.mp4",
            "name": "task_1.mp4",
            "mime_type": "video/mp4",
            "size": 12_345_678,
            "sha256": "ab" * 32,
            "index": 0,
        }
    ],
}
FAILED: dict[str, Any] = {
    **EVENT,
    "type": "task.failed",
    "media": [],
    "task": {"id": "task_1", "status": "failed", "error_code": "processing_failed", "error_message": "No output."},
}
SNAPSHOT = {
    "id": "evt_1",
    "event": "task.succeeded",
    "revision": 1,
    "task_id": "task_1",
    "status": "succeeded",
    "workflow": "music-video",
    "video_url": "https://relay.example.com/media/med_1/task_1.mp4",
    "source_video_url": "https://media.example.com/v.mp4",
    "file_name": "task_1.mp4",
    "content_type": "video/mp4",
    "size_bytes": 12345678,
    "sha256": "ab" * 32,
    "duration_seconds": 15.2,
    "credits_charged": 7.5,
    "credits_refunded": 0,
    "error_code": None,
    "error_message": None,
    "created_at": "2026-07-16T08:00:00Z",
    "completed_at": "2026-07-16T08:02:14Z",
    "sent_for": "2026-07-16T08:02:14Z",
    "row_title": "Straße",
    "row_artist": "Mia",
}


async def sent(server: tuple[Server, str], config: HttpConfig, event: dict[str, Any]) -> dict[str, Any]:
    await deliver(config, {"url": server[1]}, event=event)
    headers, body = server[0].seen[-1]
    assert headers["content-type"].startswith("application/json")
    return json.loads(body)


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_finish_as_each_tool_gets_it(server: tuple[Server, str], tool: Any) -> None:
    assert await sent(server, HttpConfig(preset=tool), EVENT) == SNAPSHOT


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_failure_has_the_same_keys(server: tuple[Server, str], tool: Any) -> None:
    failed = await sent(server, HttpConfig(preset=tool), FAILED)
    assert list(failed) == list(SNAPSHOT)
    assert (failed["video_url"], failed["error_code"], failed["credits_charged"]) == (None, "processing_failed", None)


async def test_zapiers_documented_rules(server: tuple[Server, str]) -> None:
    """One JSON object with a stable `id`, nothing nested (lists become line items), no `__` (its own nesting)."""
    first = await sent(server, HttpConfig(preset="zapier"), EVENT)
    assert await sent(server, HttpConfig(preset="zapier"), EVENT) == first, "a repeat is the same to the letter"
    assert isinstance(first, dict)
    assert isinstance(first["id"], str)
    assert not any(isinstance(value, dict | list) for value in first.values())
    assert not any("__" in key for key in first)
    assert len(server[0].seen[0][1]) < 10_000_000
    assert server[0].seen[0][0]["webhook-id"] == "dlv_1"


async def test_a_recipes_own_keys_are_added_and_win(server: tuple[Server, str]) -> None:
    config = HttpConfig(preset="make", body={"drive_url": "https://drive.example.com/1", "status": "done"})
    got = await sent(server, config, EVENT)
    assert (got["drive_url"], got["status"], got["id"]) == ("https://drive.example.com/1", "done", "evt_1")


@pytest.mark.parametrize(("tool", "most"), [("make", 5 * 2**20), ("zapier", 10_000_000), ("n8n", 16 * 2**20)])
async def test_what_a_tool_would_not_take_is_not_sent(server: tuple[Server, str], tool: Any, most: int) -> None:
    error = await error_of(HttpConfig(url=server[1], preset=tool, body={"x": "y" * most}), {})
    assert isinstance(error, Reject)
    assert str(most) in str(error)
    assert server[0].seen == []


@pytest.mark.parametrize("more", [{"file": "video"}, {"form": {}}, {"raw": "x"}, {"upload": True}, {"body": [1]}])
async def test_a_preset_sends_links_and_no_bytes(more: dict[str, Any]) -> None:
    assert isinstance(await error_of(HttpConfig(url="http://x.example", preset="zapier", **more), {}), Reject)
