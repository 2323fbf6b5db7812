"""The whole line on real sockets: each test holds a promise, whatever goes wrong on the way."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook

from relay.cli import main
from tests.integration.conftest import HOOK_SECRET, KEY, REQUEST, Line, wait_for

Start = Callable[..., Line]


def test_a_song_becomes_a_video_that_is_archived_kept_and_told(start: Start) -> None:
    line = start()
    task_id = line.create(row={"title": "Rooftop: Season?"})
    line.delivered(task_id)

    task = line.task(task_id)
    assert (task["id"], task["status"], task["workflow"]) == (task_id, "succeeded", "music-video")
    (archived,) = (line.data / "data" / "media" / task_id).iterdir()
    kept = line.data / "shelf" / "Rooftop_ Season_.mp4"
    assert archived.read_bytes() == kept.read_bytes()
    assert archived.read_bytes()[4:8] == b"ftyp"

    ((headers, body),) = line.receiver.received
    Webhook(HOOK_SECRET).verify(body, headers)
    assert headers["idempotency-key"] == headers["webhook-id"]
    assert headers["user-agent"].startswith("beatrelay/")
    assert json.loads(body) == {
        "id": line.moments(task_id, "task.finished")[0]["event_id"],
        "task_id": task_id,
        "file": kept.as_uri(),
    }


def test_the_archived_video_plays_by_our_own_link_with_ranges(start: Start) -> None:
    recipe = """\
name: Tell all
on: task.succeeded
steps:
  tell: { use: http, connection: hook }
"""
    line = start(recipe)
    line.create()
    wait_for(lambda: line.receiver.received, "the default event")
    event = json.loads(line.receiver.received[0][1])
    assert (event["type"], event["revision"], event["task"]["status"]) == ("task.succeeded", 1, "succeeded")
    (media,) = event["media"]
    assert media["url"].startswith(line.url)
    whole = httpx.get(media["url"], trust_env=False)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert hashlib.sha256(whole.content).hexdigest() == media["sha256"]
    part = httpx.get(media["url"], headers={"range": "bytes=4-7"}, trust_env=False)
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert part.headers["content-range"] == f"bytes 4-7/{media['size']}"
    tail = httpx.get(media["url"], headers={"range": "bytes=-10"}, trust_env=False)
    assert tail.content == whole.content[-10:]
    beyond = httpx.get(media["url"], headers={"range": f"bytes={media['size']}-"}, trust_env=False)
    assert beyond.status_code == 416
    assert httpx.head(media["url"], trust_env=False).headers["content-length"] == str(media["size"])
    assert httpx.get(media["url"] + "x", trust_env=False).status_code == 404


def test_with_every_webhook_dropped_all_tasks_still_finish(start: Start) -> None:
    line = start(hears=False)
    tasks = [line.create(row={"title": str(number)}) for number in range(3)]
    for task_id in tasks:
        line.delivered(task_id)
        (finish,) = line.moments(task_id, "task.finished")
        assert (finish["learnt_by"], finish["told_by"]) == ("poll", "poll")
        assert "webhook.received" not in line.kinds(task_id)


def test_a_webhook_makes_the_relay_look_at_once(start: Start) -> None:
    line = start(poll_min_seconds=30.0, poll_max_seconds=30.0)
    task_id = line.create()
    line.delivered(task_id)
    (finish,) = line.moments(task_id, "task.finished")
    assert (finish["learnt_by"], finish["told_by"]) == ("webhook", "poll")


def test_with_the_api_down_a_webhook_alone_finishes_after_the_grace_time_and_is_confirmed_later(start: Start) -> None:
    line = start(webhook_grace_seconds=1.0)
    task_id = line.create()
    line.until(task_id, "task.observed")
    line.faults(error_rate=1.0, error_paths=["/v1/tasks/"])
    (finish,) = line.until(task_id, "task.finished")
    assert (finish["told_by"], finish["learnt_by"]) == ("webhook", "webhook")
    assert line.story(task_id)["confirmed"] is False
    assert "poll.failed" in line.kinds(task_id)
    line.delivered(task_id)
    line.faults()
    line.until(task_id, "task.confirmed")
    assert line.story(task_id)["confirmed"] is True
    assert len(line.moments(task_id, "task.finished")) == 1
    assert len(line.receiver.received) == 1


def test_a_failed_task_is_told_and_costs_nothing(start: Start) -> None:
    recipe = """\
name: Tell of failures
on: task.failed
steps:
  tell:
    use: http
    connection: hook
    with: { body: { code: "{{ task.error_code }}", refund: "{{ task.usage.credits_refunded }}" } }
"""
    line = start(recipe)
    line.faults(fail_rate=1.0)
    task_id = line.create()
    line.until(task_id, "delivery.done")
    assert json.loads(line.receiver.received[0][1]) == {"code": "processing_failed", "refund": 75}
    assert not (line.data / "data" / "media").exists()


def test_a_delivery_that_fails_is_tried_again_with_the_same_id(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.flow.retry.SCHEDULE", (0.1,) * 11)
    line = start()
    line.receiver.answers = [500, 429, 404]
    task_id = line.create()
    line.delivered(task_id)
    assert len(line.receiver.ids) == 4
    assert len(set(line.receiver.ids)) == 1
    assert [failed["attempt"] for failed in line.moments(task_id, "delivery.failed")] == [1, 2, 3]


def test_a_dead_letter_runs_on_failure(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = """\
name: Tell or complain
on: task.succeeded
steps:
  tell:
    use: http
    connection: hook
    retry: { attempts: 2 }
on_failure:
  - use: http
    connection: hook
    with: { body: { step: "{{ delivery.step }}", error: "{{ delivery.error }}", task: "{{ task.id }}" } }
"""
    monkeypatch.setattr("relay.flow.retry.SCHEDULE", (0.1,) * 11)
    line = start(recipe)
    line.receiver.answers = [500, 500]
    task_id = line.create()
    (dead,) = line.until(task_id, "delivery.dead")
    assert (dead["step"], dead["attempt"], dead["error"]) == ("tell", 2, "the receiver answered 500")
    wait_for(lambda: len(line.receiver.received) == 3, "the complaint")
    complaint = json.loads(line.receiver.received[2][1])
    assert complaint == {"step": "tell", "error": "the receiver answered 500", "task": task_id}


@pytest.mark.parametrize("fault", ["html-output", "truncated-output", "output-404"])
def test_a_broken_output_is_never_delivered_and_never_forgotten(start: Start, fault: str) -> None:
    line = start()
    world = httpx.post(
        f"{line.sandbox_url}/v1/music-video/tasks",
        json=REQUEST,
        headers={"authorization": f"Bearer {KEY}", "x-sandbox-fault": fault},
        trust_env=False,
    )
    provider_id = world.json()["data"]["id"]
    task_id = _adopted(line, provider_id)
    (failed,) = line.until(task_id, "delivery.failed")
    assert failed["use"] == "archive"
    assert line.receiver.received == []
    assert list(Path(line.data / "data" / "media").rglob("*.mp4")) == []
    waiting = [moment["kind"] for moment in line.story(task_id)["next"]]
    assert waiting.count("delivery.waits") == 2


def _adopted(line: Line, provider_id: str) -> str:
    """Let the relay believe that one of its tasks is ``provider_id``: a fault is asked for at the sandbox."""
    import asyncio

    async def adopt() -> str:
        from relay.journal import Change, Entry, Operation, TaskRow

        tasks, clock = line.relay.journal.tasks, line.relay.clock
        now = clock.now()
        task = TaskRow(
            id=clock.new_id("task"),
            provider="beatapi",
            workflow="music-video",
            status="queued",
            request=json.dumps(REQUEST),
            created_at=now,
            updated_at=now,
        )
        operation = Operation(
            id=clock.new_id("op"),
            task_id=task.id,
            kind="create",
            state="accepted",
            body="{}",
            created_at=now,
            due_at=None,
        )
        await tasks.create(task, operation, Entry(task_id=task.id, at=now, kind="task.adopted"))
        task.provider_id, task.next_poll_at = provider_id, now
        await tasks.apply(Change(task=task))
        return task.id

    return asyncio.run(adopt())


def test_the_api_takes_only_those_who_have_a_key(start: Start) -> None:
    line = start()
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}):
        for path in ("/v1/tasks/task_1", "/relay/v1/tasks"):
            answer = httpx.get(line.url + path, headers=headers, trust_env=False)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        answer = httpx.post(f"{line.url}/v1/music-video/tasks", json=REQUEST, headers=headers, trust_env=False)
        assert answer.status_code == 401
    assert line.ledger()["creates"] == 0


def test_refusals_have_the_contracts_envelope(start: Start) -> None:
    line = start()
    missing = line.client.get("/v1/tasks/task_unknown")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    bad = line.client.post("/v1/music-video/tasks", json={"images": "x"})
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "bad_request")
    assert "images" in bad.json()["error"]["message"]
    broken = line.client.post("/v1/music-video/tasks", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400
    nowhere = line.client.get("/v1/nothing-here")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")
    row = line.client.post("/v1/music-video/tasks", json=REQUEST, headers={"x-beatrelay-row": "[1]"})
    assert row.status_code == 400


def test_a_refused_request_fails_the_task_and_says_why(start: Start) -> None:
    line = start(sandbox={"contract": "current"})  # which is stricter about lip_sync than launch
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "lip_sync": True})
    task_id = answer.json()["data"]["id"]
    line.until(task_id, "task.finished")
    task = line.task(task_id)
    assert (task["status"], task["error_code"]) == ("failed", "bad_request")
    assert "lip_ref_url" in task["error_message"]
    assert line.ledger()["charges"] == []


def test_all_that_is_wrong_is_said_at_once_and_costs_nothing(start: Start) -> None:
    line = start()
    wrong = {**REQUEST, "images": ["http://x.example/a.png", "https://10.0.0.1/b.png"], "language": "de"}
    answer = line.client.post("/v1/music-video/tasks", json=wrong)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "bad_request"
    assert [problem["field"] for problem in error["details"]] == ["images[0]", "images[1]", "language"]
    assert error["details"][2] == {"field": "language", "value": "de", "rule": "must be one of en, zh"}
    assert line.client.get("/relay/v1/tasks").json()["data"]["data"] == []
    assert line.ledger()["creates"] == 0


def test_the_same_idempotency_key_makes_one_task(start: Start) -> None:
    line = start()
    first = line.create(**{"idempotency-key": "row-1"})
    assert line.create(**{"idempotency-key": "row-1"}) == first
    other = line.client.post(
        "/v1/music-video/tasks", json={**REQUEST, "prompt": "another"}, headers={"idempotency-key": "row-1"}
    )
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    line.delivered(first)
    assert line.ledger()["creates"] == 1


def test_unknown_fields_travel_through(start: Start) -> None:
    line = start(sandbox={"contract": "current"})
    task_id = line.create()
    line.delivered(task_id)
    task = line.task(task_id)
    assert (task["task_kind"], task["capability_id"]) == ("workflow", "music-video")
    assert task["usage"]["credits_charged"] == 1.5


def test_a_lost_answer_is_repeated_with_the_same_key_where_that_is_free(start: Start) -> None:
    line = start(sandbox={"contract": "current"})
    line.faults(lost_answers=1.0)
    task_id = line.create()
    line.until(task_id, "operation.postponed")
    line.faults()
    line.delivered(task_id)
    assert line.ledger()["creates"] == 1
    assert len(line.ledger()["charges"]) == 1


def test_a_lost_answer_is_held_where_a_repeat_would_cost(start: Start) -> None:
    line = start()
    line.faults(lost_answers=1.0)
    task_id = line.create()
    line.until(task_id, "operation.unconfirmed")
    assert line.ledger()["creates"] == 1
    (held,) = line.story(task_id)["next"]
    assert held["kind"] == "operation.settle"
    assert line.task(task_id)["status"] == "queued"


def lost(line: Line) -> tuple[str, str]:
    """A task whose create was accepted, and whose answer was lost: our id and theirs."""
    line.faults(lost_answers=1.0)
    task_id = line.create()
    line.until(task_id, "operation.unconfirmed")
    line.faults()
    return task_id, line.ledger()["charges"][-1]["task_id"]


def settle(line: Line, task_id: str, **decision: str) -> int:
    return line.client.post(f"/relay/v1/tasks/{task_id}/settle", json=decision).status_code


def test_a_lost_task_is_adopted_by_its_webhook(start: Start) -> None:
    line = start()
    task_id, provider_id = lost(line)
    line.delivered(task_id)
    assert line.moments(task_id, "operation.adopted")[0]["provider_id"] == provider_id
    assert line.ledger()["creates"] == 1
    assert line.client.get("/relay/v1/unconfirmed").json()["data"]["data"] == []


def test_two_lost_tasks_at_once_are_left_to_a_person(start: Start) -> None:
    line = start()
    line.faults(lost_answers=1.0)
    tasks = [line.create(row={"title": str(number)}) for number in range(2)]
    for task_id in tasks:
        line.until(task_id, "operation.unconfirmed")
    wait_for(lambda: sum(sent["status"] == 200 for sent in line.ledger()["webhooks"]) == 2, "both webhooks")
    listed = line.client.get("/relay/v1/unconfirmed").json()["data"]["data"]
    assert {question["task_id"] for question in listed} == set(tasks)
    line.faults()
    theirs = [charge["task_id"] for charge in line.ledger()["charges"]]
    assert settle(line, tasks[0], decision="adopt", provider_id=theirs[0]) == 200
    assert settle(line, tasks[1], decision="adopt", provider_id=theirs[0]) == 409
    assert settle(line, tasks[1], decision="adopt", provider_id=theirs[1]) == 200
    for task_id in tasks:
        line.delivered(task_id)
    assert line.ledger()["creates"] == 2


def test_a_person_may_resubmit_or_abandon(start: Start) -> None:
    line = start(hears=False)
    first, _ = lost(line)
    assert settle(line, first, decision="adopt") == 400
    assert settle(line, first, decision="adopt", provider_id="task_unknown") == 404
    assert settle(line, first, decision="resubmit") == 200
    line.delivered(first)
    assert line.ledger()["creates"] == 2
    second, _ = lost(line)
    assert settle(line, second, decision="abandon") == 200
    task = line.task(second)
    assert (task["status"], task["error_code"]) == ("failed", "abandoned")
    assert settle(line, second, decision="abandon") == 409
    assert settle(line, second, decision="forget") == 400


def test_many_are_settled_by_one_word_after_a_count(start: Start) -> None:
    line = start(hears=False)
    tasks = [lost(line)[0] for _ in range(2)]

    def swept(**body: Any) -> httpx.Response:
        return line.client.post("/relay/v1/unconfirmed/settle", json={"decision": "abandon", **body})

    reason = line.client.get("/relay/v1/unconfirmed").json()["data"]["data"][0]["reason"]
    counted = swept(error=reason).json()["data"]
    assert counted == {"count": 2, "by_kind": {"create": 2}, "done": False, "skipped": 0}
    assert swept(error="restored from a copy").json()["data"]["count"] == 0
    assert [swept().status_code, swept(decision="adopt", error="x").status_code] == [400, 400]
    assert swept(task_ids=tasks[:1], confirm=True).json()["data"]["done"]
    assert [line.task(task)["status"] for task in tasks] == ["failed", "queued"]
    words = ["tasks", "--url", line.url, "settle", "--error", reason, "--resubmit"]
    environ = {"BEATAPI_API_KEY": KEY}
    told = CliRunner().invoke(main, words, env=environ).output
    assert "1 operations would be sent again; add --yes to do it (1 create)" in told
    assert line.ledger()["creates"] == 2
    assert "1 operations are sent again" in CliRunner().invoke(main, [*words, "--yes"], env=environ).output
    line.until(tasks[1], "task.observed")
    assert line.ledger()["creates"] == 3


def test_the_command_line_settles_too(start: Start) -> None:
    line = start(hears=False)
    task_id, provider_id = lost(line)
    environ = {"BEATAPI_API_KEY": KEY}
    listed = CliRunner().invoke(main, ["tasks", "--url", line.url, "list", "--unconfirmed"], env=environ)
    assert task_id in listed.output
    done = CliRunner().invoke(
        main, ["tasks", "--url", line.url, "settle", task_id, "--adopt", provider_id], env=environ
    )
    assert (done.exit_code, done.output.startswith(f"{task_id}: ")) == (0, True)
    assert CliRunner().invoke(main, ["tasks", "--url", line.url, "settle", task_id], env=environ).exit_code == 2
    again = CliRunner().invoke(main, ["tasks", "--url", line.url, "settle", task_id, "--abandon"], env=environ)
    assert (again.exit_code, "is unconfirmed" in again.output) == (1, True)


def test_health_readiness_and_metrics(start: Start) -> None:
    line = start()
    line.delivered(line.create())
    assert line.client.get("/health").json() == {"status": "ok"}
    ready = line.client.get("/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    metrics = httpx.get(f"{line.url}/metrics", trust_env=False).text
    assert 'beatrelay_webhooks_total{verdict="accepted"} 1.0' in metrics
    assert "beatrelay_dead_deliveries 0.0" in metrics


def test_the_served_openapi_document_is_the_committed_one(start: Start) -> None:
    line = start()
    served = line.client.get("/docs/openapi.json").json()
    committed = json.loads(Path("openapi/beatrelay.json").read_bytes())
    assert served == committed
