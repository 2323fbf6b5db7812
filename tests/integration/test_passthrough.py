"""What the relay does not read: other kinds of task, catalogues and realtime sessions go through as they are."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.conftest import KEY, REQUEST, Line, wait_for

Start = Callable[..., Line]
TELL = """\
name: Tell
on: [task.succeeded, task.failed]
steps:
  tell: { use: http, connection: hook, with: { body: { what: "{{ event.type }}", id: "{{ task.id }}" } } }
"""
SESSION = {"max_duration_seconds": 60, "allowed_origins": ["https://app.example.com"]}
BODIES: dict[str, dict[str, Any]] = {
    "images": {"model": "nano-banana-pro", "prompt": "A cover", "anything": {"of": ["theirs"]}},
    "videos": {"model": "veo-3.1", "prompt": "A lighthouse", "duration": 8},
    "effects": {"effect_id": "neon-portrait", "images": ["https://media.example.com/me.png"]},
    "video-analysis": {"video_url": "https://media.example.com/a.mp4", "prompt": "What happens?"},
}


@pytest.mark.parametrize("asked", list(BODIES))
def test_other_kinds_of_task_are_polled_and_delivered_like_any(start: Start, asked: str) -> None:
    line = start(TELL, sandbox={"contract": "current"})
    headers = {"idempotency-key": "once"}
    first = line.client.post(f"/v1/{asked}/tasks", json=BODIES[asked], headers=headers)
    assert first.status_code == 201, first.text
    task_id = first.json()["data"]["id"]
    assert line.client.post(f"/v1/{asked}/tasks", json=BODIES[asked], headers=headers).json()["data"]["id"] == task_id
    assert line.client.post(f"/v1/{asked}/tasks", json={}, headers=headers).status_code == 409
    wait_for(lambda: line.task(task_id)["status"] == "succeeded", "the end")
    wait_for(lambda: len(line.receiver.received) == 1, "the delivery")
    task = line.task(task_id)
    kinds = {"images": "image", "videos": "video", "effects": "effect", "video-analysis": "workflow"}
    assert task["task_kind"] == first.json()["data"].get("task_kind", "workflow") == kinds[asked]
    assert [charge["operation"] for charge in line.ledger()["charges"]] == ["create"]
    if asked == "video-analysis":
        assert task["output"]["usage"] == {"input_tokens": 900, "output_tokens": 100, "total_tokens": 1000}
    else:
        stored = line.moments(task_id, "delivery.done")
        assert stored, "what it made is archived"


def test_what_the_provider_refuses_fails_as_a_task_with_its_reason(start: Start) -> None:
    line = start(TELL, sandbox={"contract": "current"})
    task_id = line.client.post("/v1/images/tasks", json={"model": "nano-banana-pro"}).json()["data"]["id"]
    wait_for(lambda: line.task(task_id)["status"] == "failed", "the refusal")
    assert "prompt" in line.task(task_id)["error_message"]
    assert line.client.post("/v1/images/tasks", content=b"[1]").json()["error"]["details"][0]["field"] == "body"
    assert line.ledger()["charges"] == []


def test_catalogues_are_the_providers_and_need_no_key(start: Start) -> None:
    line = start("", sandbox={"contract": "current"})
    anybody = httpx.Client(base_url=line.url, trust_env=False)
    for path in ("/v1/media/models?media_type=image", "/v1/effects", "/v1/effects/neon-portrait"):
        theirs = httpx.get(line.sandbox_url + path, trust_env=False)
        ours = anybody.get(path)
        assert (ours.status_code, ours.json()) == (200, theirs.json())
    assert anybody.get("/v1/effects/none").json()["error"]["code"] == "not_found"
    assert anybody.get("/v1/capabilities/search?q=x").status_code == 404
    anybody.close()


@pytest.mark.parametrize("contract", ["launch", "current"])
def test_a_realtime_session_is_reserved_once_and_given_back(start: Start, contract: str) -> None:
    line = start("", sandbox={"contract": contract})
    before = line.client.get("/v1/usage").json()["data"]["credit_balance"]
    path, headers = "/v1/realtime/sessions", {"idempotency-key": "r1"}
    made = [line.client.post(path, json=SESSION, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    session = made[0].json()["data"]
    assert session == made[1].json()["data"], "the same session and secret for the same key"
    assert session["client_secret"].startswith("brt_live_")
    assert line.client.get("/v1/usage").json()["data"]["credit_balance"] < before
    other = line.client.post(path, json={**SESSION, "max_duration_seconds": 15}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    shown = line.client.get(f"{path}/{session['id']}").json()["data"]
    assert (shown["status"], "client_secret" in shown) == ("ready", False)
    assert [line.client.delete(f"{path}/{session['id']}").json()["data"]["status"] for _ in range(2)] == ["closed"] * 2
    assert line.client.get("/v1/usage").json()["data"]["credit_balance"] == before


def test_a_realtime_session_needs_a_key_and_a_balance(start: Start) -> None:
    line = start("", sandbox={"balance": 10})
    path = "/v1/realtime/sessions"
    assert line.client.post(path, json=SESSION).json()["error"]["code"] == "bad_request"
    broke = line.client.post(path, json=SESSION, headers={"idempotency-key": "r1"})
    assert (broke.status_code, broke.json()["error"]["code"]) == (402, "insufficient_credits")
    wrong = line.client.post(path, json={"max_duration_seconds": 61}, headers={"idempotency-key": "r2"})
    assert {detail["field"] for detail in wrong.json()["error"]["details"]} == {
        "max_duration_seconds",
        "allowed_origins",
    }
    assert line.client.get(f"{path}/rts_none").status_code == 404


def test_unknown_statuses_and_exact_prices_are_carried_through(start: Start) -> None:
    line = start(TELL, sandbox={"contract": "current", "speed": 20.0})
    headers = {"x-sandbox-fault": "unknown-status"}
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "duration": 17}, headers=headers)
    task_id = answer.json()["data"]["id"]
    assert answer.json()["data"]["status"] == "queued"
    running = wait_for(lambda: "poll_after_seconds" in line.task(task_id) and line.task(task_id), "the provider's word")
    assert running["poll_after_seconds"] == 10
    wait_for(lambda: line.task(task_id)["status"] == "succeeded", "the end")
    raw = line.client.get(f"/v1/tasks/{task_id}").text
    assert '"credits_settled":1.70' in raw, "two places, as the provider wrote them"
    failing = line.client.post("/v1/music-video/tasks", json={**REQUEST, "prompt": "again"})
    assert failing.status_code == 201
    assert httpx.get(f"{line.sandbox_url}/v1/usage", headers={"authorization": f"Bearer {KEY}"}, trust_env=False).json()
