"""One webhook, sent in every way that goes wrong: one effect, the right answers, and everything written down."""

import hashlib
import hmac
import json
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.conftest import SECRET, Line, wait_for

Start = Callable[..., Line]
PATH = "/webhooks/beatapi"


def sign(body: bytes, timestamp: int, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "x-beatapi-event": "task.succeeded",
        "x-beatapi-timestamp": str(timestamp),
        "x-beatapi-signature": signature,
        "content-type": "application/json",
    }


def event(provider_id: str, event_id: str = "evt_1", status: str = "succeeded") -> bytes:
    data = {"id": provider_id, "status": status, "updated_at": int(time.time())}
    return json.dumps({"id": event_id, "event": f"task.{status}", "created_at": 1, "data": data}).encode()


def send(line: Line, body: bytes, headers: dict[str, str]) -> int:
    return httpx.post(line.url + PATH, content=body, headers=headers, trust_env=False).status_code


def receipts(line: Line) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{line.data}/data/journal.db?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM receipts ORDER BY rowid")]
    finally:
        connection.close()


@pytest.fixture
def line(start: Start) -> Line:
    """A relay that only polls when it is woken, and a sandbox that sends no webhooks of its own."""
    return start(hears=False, poll_min_seconds=30.0, poll_max_seconds=30.0)


def accepted(line: Line) -> tuple[str, str]:
    """A task that the provider has accepted: our id and theirs."""
    task_id = line.create()
    provider_id = wait_for(lambda: line.story(task_id)["provider_id"], "the provider's id")
    return task_id, provider_id


def done(line: Line, provider_id: str) -> None:
    """Wait until the sandbox is done with a task, without asking the relay to look."""
    url = f"{line.sandbox_url}/v1/tasks/{provider_id}"
    key = {"authorization": "Bearer sk_integration_key"}
    wait_for(lambda: httpx.get(url, headers=key, trust_env=False).json()["data"]["status"] == "succeeded", "the video")


def test_one_webhook_sent_twenty_times_has_one_effect(line: Line) -> None:
    task_id, provider_id = accepted(line)
    done(line, provider_id)
    now = int(time.time())
    good = event(provider_id)
    requests: list[tuple[bytes, dict[str, str], int]] = [(good, sign(good, now - late), 200) for late in range(8)]
    requests += [
        (good, sign(good, now - 400), 202),  # stale: wakes, is no news
        (good, sign(good, now - 1700), 202),
        (good, sign(good, now - 1900), 401),  # too old for anything
        (good, sign(good, now + 400), 401),  # from the future
        (good, sign(good, now, "whsec_wrong"), 401),
        (good[:-1], sign(good, now), 401),  # truncated on the way: the signature no longer fits
        (good[:-1], sign(good[:-1], now), 400),  # genuine, but not JSON
        (b"", sign(b"", now), 400),
        (good, {"x-beatapi-timestamp": str(now)}, 401),
        (good, {}, 401),
        (b'{"id": "evt_2", "event": "task.succeeded"}', sign(b'{"id": "evt_2", "event": "task.succeeded"}', now), 400),
        (b"x" * (1024 * 1024 + 1), {}, 413),
    ]
    assert len(requests) == 20
    random.Random(7).shuffle(requests)

    answers = [(send(line, body, headers), wanted) for body, headers, wanted in requests]
    assert [got for got, _ in answers] == [wanted for _, wanted in answers]

    line.delivered(task_id)
    assert len(line.moments(task_id, "task.finished")) == 1
    assert len(line.receiver.received) == 1
    kept = receipts(line)
    verdicts = sorted(row["verdict"] for row in kept)
    assert verdicts == sorted(
        ["accepted", "stale", *["expired"] * 2, *["forged"] * 4, *["unparsable"] * 3, "oversized"]
    )
    assert {row["verdict"]: row["seen"] for row in kept if row["seen"] > 1} == {"accepted": 8, "stale": 2}
    assert SECRET not in json.dumps([{**row, "body": str(row["body"])} for row in kept])


def test_a_stale_webhook_alone_wakes_the_poller(line: Line) -> None:
    task_id, provider_id = accepted(line)
    done(line, provider_id)
    body = event(provider_id)
    assert send(line, body, sign(body, int(time.time()) - 600)) == 202
    line.delivered(task_id)
    (finish,) = line.moments(task_id, "task.finished")
    assert finish["told_by"] == "poll"
    assert line.moments(task_id, "webhook.received")[0]["verdict"] == "stale"


def test_a_webhook_that_lies_is_not_believed(line: Line) -> None:
    task_id, provider_id = accepted(line)
    done(line, provider_id)
    body = event(provider_id, status="failed")
    assert send(line, body, sign(body, int(time.time()))) == 200
    line.delivered(task_id)
    assert line.task(task_id)["status"] == "succeeded"
    assert [finish["event"] for finish in line.moments(task_id, "task.finished")] == ["task.succeeded"]


def test_a_webhook_for_somebody_elses_task_is_kept_and_changes_nothing(line: Line) -> None:
    body = event("task_of_another_client")
    assert send(line, body, sign(body, int(time.time()))) == 200
    (kept,) = receipts(line)
    assert (kept["verdict"], kept["provider_task_id"]) == ("accepted", "task_of_another_client")
    assert line.client.get("/relay/v1/tasks").json()["data"]["data"] == []


def test_any_active_secret_is_good_during_a_rotation(start: Start) -> None:
    line = start(hears=False, beatapi_webhook_secret=["whsec_new_secret", SECRET])
    for number, secret in enumerate(("whsec_new_secret", SECRET)):
        body = event("task_x", f"evt_{number}")
        assert send(line, body, sign(body, int(time.time()), secret)) == 200


def test_forged_requests_cannot_fill_the_disk(line: Line) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(150):
            assert client.post(line.url + PATH, content=b"x" * 5000).status_code == 401
    kept = receipts(line)
    assert 60 <= len(kept) <= 120  # 60 a minute; the run may cross from one minute into the next
    assert all(len(row["body"]) <= 2048 for row in kept)


def test_only_post_is_heard(line: Line) -> None:
    assert httpx.get(line.url + PATH, trust_env=False).status_code == 405


def test_an_answered_webhook_is_on_disk_before_the_answer(line: Line) -> None:
    """Read by a connection of its own, right after the answer, while the relay goes on."""
    for number in range(20):
        body = event(f"task_{number}", f"evt_{number}")
        assert send(line, body, sign(body, int(time.time()))) == 200
        assert receipts(line)[-1]["event_id"] == f"evt_{number}"
