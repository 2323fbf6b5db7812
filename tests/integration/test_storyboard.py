"""A storyboard to the end: a person is asked, a shot is edited, the video is composed, and paid for once."""

from collections.abc import Callable

import httpx
import pytest

from tests.integration.conftest import REQUEST, Line, wait_for

Start = Callable[..., Line]
RECIPE = """\
name: Ask and tell
on: [task.requires_action, task.succeeded]
steps:
  tell: { use: http, connection: hook, with: { body: { what: "{{ event.type }}", revision: "{{ event.revision }}" } } }
"""


def manual(line: Line, **change: str) -> str:
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual", **change})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["id"]


def until(line: Line, task_id: str, *statuses: str) -> list[str]:
    """Wait for a status; gives the ids of the shots."""
    wait_for(lambda: line.task(task_id)["status"] in statuses, f"{statuses}")
    return [shot["id"] for shot in line.task(task_id)["storyboard"]["shots"]]


def post(line: Line, path: str, body: object = None, key: str = "") -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return line.client.post(f"/v1/music-video/tasks/{path}", json=body, headers=headers)


@pytest.mark.parametrize("contract", ["launch", "current"])
def test_a_storyboard_goes_to_the_end(start: Start, contract: str) -> None:
    line = start(RECIPE, sandbox={"contract": contract})
    task_id = manual(line)
    shots = until(line, task_id, "storyboard_ready")
    line.until(task_id, "delivery.done")

    media = post(line, f"{task_id}/shots/{shots[0]}/media").json()["data"]
    assert (media["task_id"], media["shot_id"]) == (task_id, shots[0])
    assert httpx.get(media["media"]["url"], trust_env=False).content[4:8] == b"ftyp"

    edit = post(line, f"{task_id}/shots/{shots[0]}/edit", {"prompt": "Rain on glass"})
    assert (edit.status_code, edit.json()["data"]["id"]) == (202, task_id)
    until(line, task_id, "requires_action")
    wait_for(lambda: line.task(task_id)["storyboard"]["shots"][0]["prompt"] == "Rain on glass", "the edit")

    assert post(line, f"{task_id}/compose", {"shot_ids": shots[::-1]}).status_code == 202
    until(line, task_id, "succeeded")
    finishes = [finish["event"] for finish in line.moments(task_id, "task.finished")]
    assert finishes == ["task.requires_action", "task.requires_action", "task.succeeded"]
    wait_for(lambda: len(line.receiver.received) == 3, "all three to be told")
    assert [charge["operation"] for charge in line.ledger()["charges"]] == ["create", "edit", "compose"]


def test_a_finished_video_composed_anew_is_delivered_anew(start: Start) -> None:
    line = start(RECIPE)
    task_id = line.create()
    shots = until(line, task_id, "succeeded")
    first = line.task(task_id)["completed_at"]
    wait_for(lambda: line.task(task_id)["updated_at"] < int(line.relay.clock.now()), "the clock's next second")
    assert post(line, f"{task_id}/compose", {"shot_ids": shots[:1]}).status_code == 202
    line.until(task_id, "task.finished", 2)
    assert line.task(task_id)["completed_at"] > first
    wait_for(lambda: len(line.receiver.received) == 2, "both to be told")
    files = sorted(path.name for path in (line.data / "data" / "media" / task_id).iterdir())
    assert files == ["r1-0.mp4", "r2-0.mp4"]


def test_what_the_state_does_not_allow_is_refused_and_costs_nothing(start: Start) -> None:
    line = start(RECIPE, sandbox={"speed": 10.0})
    task_id = line.create()
    line.until(task_id, "task.observed")
    for path, body in ((f"{task_id}/compose", {"shot_ids": ["shot_1"]}), (f"{task_id}/shots/x/edit", {"prompt": "a"})):
        answer = post(line, path, body)
        assert answer.status_code in (404, 409), answer.text
    assert post(line, "task_unknown/compose", {"shot_ids": ["s"]}).status_code == 404
    assert post(line, f"{task_id}/compose", {"shot_ids": []}).status_code == 400
    assert [charge["operation"] for charge in line.ledger()["charges"]] == ["create"]


@pytest.mark.parametrize("contract", ["launch", "current"])
def test_a_refusal_says_which_states_allow_it(start: Start, contract: str) -> None:
    line = start(RECIPE, sandbox={"contract": contract})
    line.faults(fail_rate=1.0)
    task_id = line.create()
    wait_for(lambda: line.task(task_id)["status"] == "failed", "the failure")
    answer = post(line, f"{task_id}/compose", {"shot_ids": ["shot_1"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_request")
    assert "it must be one of: requires_action, storyboard_ready, succeeded" in answer.json()["error"]["message"]
    film = line.client.post("/v1/ecommerce-video/tasks", json={"images": REQUEST["images"], "duration": 15})
    answer = post(line, f"{film.json()['data']['id']}/compose", {"shot_ids": ["shot_1"]})
    assert "only a music video has shots" in answer.json()["error"]["message"]


def test_an_operation_is_sent_once_however_often_it_is_asked_for(start: Start) -> None:
    line = start(RECIPE, sandbox={"contract": "current"})
    task_id = manual(line)
    shots = until(line, task_id, "storyboard_ready")
    line.faults(lost_answers=0.0, slow=0.5)
    path, body = f"{task_id}/compose", {"shot_ids": shots}
    assert [post(line, path, body, "c1").status_code for _ in range(3)] == [202, 202, 202]
    assert post(line, path, {"shot_ids": shots[:1]}, "c1").json()["error"]["code"] == "idempotency_conflict"
    assert post(line, path, body, "c2").status_code == 409, "one operation at a time"
    line.faults()
    until(line, task_id, "succeeded")
    assert [charge["operation"] for charge in line.ledger()["charges"]] == ["create", "compose"]


def test_workflows_and_usage_are_the_providers(start: Start) -> None:
    line = start(RECIPE)
    workflows = httpx.get(f"{line.url}/v1/workflows", trust_env=False).json()["data"]["data"]
    assert [workflow["id"] for workflow in workflows] == ["music-video", "ecommerce-video"]
    usage = line.client.get("/v1/usage").json()["data"]
    assert (usage["credit_balance"], usage["object"]) == (5000, "usage")
    assert httpx.get(f"{line.url}/v1/usage", trust_env=False).status_code == 401
    line.faults(error_rate=1.0)
    assert line.client.get("/v1/usage").status_code in (500, 503)
