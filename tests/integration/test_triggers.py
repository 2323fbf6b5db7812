"""A no-code tool sends a row: one task, one charge, however often and however many at once."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from connectors.standard_webhooks import decode_secret, sign
from tests.integration.conftest import Line, wait_for

Start = Callable[..., Line]
ROW = {
    "Song": "https://media.example.com/17.mp3",
    "Cover image 1": "https://media.example.com/17.png",
    "Format": "portrait",
    "Artist": "Mia",
}
TAGGED = """\
name: Tell of songs
on: task.succeeded
match: { tags: ["trigger:songs"] }
steps:
  tell:
    use: http
    connection: hook
    with: { body: { artist: "{{ row.artist }}", trigger: "{{ row.trigger }}" } }
"""


def send(line: Line, row: dict[str, Any], name: str = "songs", **query: Any) -> httpx.Response:
    return line.client.post(f"/relay/v1/triggers/{name}", params=query, json=row)


def made(line: Line, row: dict[str, Any], name: str = "songs", **query: Any) -> dict[str, Any]:
    answer = send(line, row, name, **query)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def ended(line: Line, task_id: str) -> None:
    wait_for(lambda: line.task(task_id)["status"] in ("succeeded", "failed"), "the end of the task")


def test_a_row_becomes_a_task_that_its_status_url_tells_of(start: Start) -> None:
    line = start()
    told = made(line, ROW)
    assert told["request"] == {
        "audio_url": ROW["Song"],
        "images": [ROW["Cover image 1"]],
        "aspect_ratio": "9:16",
    }
    assert told["row"] == {"artist": "Mia"}
    assert told["understood"]["Song"] == "audio_url"
    assert (told["state"], told["status"], told["price_least"] > 0) == ("new", "queued", True)
    status = httpx.get(told["status_url"], headers=line.client.headers, trust_env=False).json()["data"]
    assert status["id"] == told["task_id"]
    ended(line, told["task_id"])
    assert line.ledger()["creates"] == 1


@pytest.mark.parametrize("identity", [{}, {"id": "song-17"}])
def test_the_same_row_is_one_task_however_many_send_it_at_once(start: Start, identity: dict[str, str]) -> None:
    line = start()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: send(line, {**ROW, **identity}), range(24)))
    assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
    (task_id,) = {answer.json()["task_id"] for answer in answers}
    ended(line, task_id)
    again = send(line, {**ROW, **identity})
    assert (again.status_code, again.json()["state"], again.json()["status"]) == (200, "known", "succeeded")
    assert line.ledger()["creates"] == 1


def test_however_many_send_other_content_under_one_id_at_once_one_is_made(start: Start) -> None:
    line = start()
    rows = [{**ROW, "id": "7", "prompt": f"Take {number}"} for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda row: send(line, row), rows))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    (task_id,) = (answer.json()["task_id"] for answer in answers if answer.status_code == 201)
    ended(line, task_id)
    assert line.ledger()["creates"] == 1


def test_a_form_and_json_of_the_same_row_are_the_same(start: Start) -> None:
    line = start()
    task_id = made(line, ROW)["task_id"]
    url = "/relay/v1/triggers/elsewhere"  # content is the same wherever it comes in
    form = line.client.post(url, data={**ROW, "Artist": "Mïa & Co"})
    parts = line.client.post(url, files={name: (None, text) for name, text in ROW.items()})
    assert [(one.status_code, one.json()["task_id"]) for one in (form, parts)] == [(200, task_id)] * 2
    assert form.json()["row"] == {"artist": "Mïa & Co"}


def test_an_id_belongs_to_its_trigger(start: Start) -> None:
    line = start()
    row = {**ROW, "id": "1"}
    assert made(line, row, "songs")["task_id"] != made(line, row, "other")["task_id"]


def test_other_content_under_the_same_id_is_made_only_on_request(start: Start) -> None:
    line = start()
    first = made(line, {**ROW, "id": "7"})
    changed = {**ROW, "id": "7", "Format": "square", "prompt": "Neon"}
    assert send(line, changed, dry_run=True).json()["state"] == "changed"
    error = refused(send(line, changed), 409)
    assert error["code"] == "row_changed"
    assert [(one["field"], one["value"], one["rule"]) for one in error["details"]] == [
        ("aspect_ratio", "1:1", "was 9:16"),
        ("prompt", "Neon", "was empty"),
    ]
    (earlier,) = {(one["task_id"], one["status_url"], one["again_url"]) for one in error["details"]}
    assert earlier == (first["task_id"], first["status_url"], f"{line.url}/relay/v1/triggers/songs?changed=true")
    assert first["task_id"] in error["message"]
    second = httpx.post(earlier[2], json=changed, headers=line.client.headers, trust_env=False)
    assert (second.status_code, second.json()["task_id"] != first["task_id"]) == (201, True)
    assert send(line, {**ROW, "id": "7"}).json()["task_id"] == first["task_id"]
    ended(line, second.json()["task_id"])
    wait_for(lambda: line.ledger()["creates"] == 2, "two charges")


def test_a_failed_row_is_made_again_only_on_request_and_once(start: Start) -> None:
    line = start()
    line.faults(fail_rate=1.0)
    first = made(line, ROW)["task_id"]
    ended(line, first)
    line.faults(fail_rate=0.0)
    again = send(line, ROW)
    assert (again.status_code, again.json()["state"], again.json()["task_id"]) == (200, "failed", first)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(line, ROW, failed=True), range(6)))
    (second,) = {answer.json()["task_id"] for answer in answers}
    assert second != first
    ended(line, second)
    assert send(line, ROW).json()["task_id"] == second


def test_a_dry_run_tells_the_price_and_sends_nothing(start: Start) -> None:
    line = start(sandbox={"balance": 40})
    told = send(line, {**ROW, "duration": "15"}, dry_run=True).json()
    assert (told["state"], told["task_id"], told["dry_run"]) == ("new", None, True)
    assert (told["price_least"], told["balance"], told["enough"]) == (50, 40, "no")
    assert line.client.get("/relay/v1/tasks").json()["data"]["data"] == []


def test_recipes_match_the_triggers_name_and_see_the_row(start: Start) -> None:
    line = start(recipe=TAGGED)
    ended(line, made(line, {**ROW, "id": "1"}, "other")["task_id"])
    task_id = made(line, {**ROW, "id": "1"}, "songs")["task_id"]
    line.until(task_id, "delivery.done", 2)
    assert [body for _, body in line.receiver.received] == [b'{"artist":"Mia","trigger":"songs"}']


def test_a_trigger_may_name_its_recipe(start: Start) -> None:
    line = start(recipe=TAGGED)
    task_id = made(line, ROW, "elsewhere", recipe="tell of songs")["task_id"]
    line.until(task_id, "delivery.done", 2)
    assert len(line.receiver.received) == 1


def test_every_problem_is_told_with_field_value_rule_and_fix(start: Start) -> None:
    line = start()
    row = {"Track": "C:\\Music\\neon.mp3", "Image 2": "http://media.example.com/x.png", "Format": "round"}
    error = refused(send(line, row))
    found = {one["field"]: one for one in error["details"]}
    assert set(found) == {"Track", "Image 2", "Format"}
    assert "takes links only" in found["Track"]["rule"]
    assert "POST /v1/files" in found["Track"]["fix"]
    assert (found["Format"]["value"], found["Format"]["fix"]) == ("round", "write 16:9, 9:16, 1:1, 4:3 or 3:4")
    assert all(one["fix"] and one["rule"] in error["message"] for one in error["details"])
    missing = refused(send(line, {"prompt": "Neon"}))
    assert {(one["field"], one["rule"]) for one in missing["details"]} == {
        ("audio_url", "is required"),
        ("images", "is required"),
    }
    private = refused(send(line, {**ROW, "Cover image 1": "https://10.0.0.7/x.png"}, dry_run=True))
    assert [one["field"] for one in private["details"]] == ["Cover image 1"]


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (b"", {}, "no field with a value"),
        (b"{}", {"content-type": "application/json"}, "no field with a value"),
        (b'[{"song": "x"}]', {"content-type": "application/json"}, "not wrapped in an array"),
        (b'"song"', {"content-type": "application/json"}, "must be one JSON object"),
        (b'{"song": ', {"content-type": "application/json"}, "is not JSON"),
        (b"[" * 100_000, {"content-type": "application/json"}, "The body is"),
        (b"\xff\xfe=\xff", {"content-type": "application/x-www-form-urlencoded"}, "neither JSON nor a form"),
        (b"just words", {"content-type": "text/plain"}, "no field with a value"),
    ],
)
def test_what_is_no_row_is_refused(start: Start, body: bytes, headers: dict[str, str], message: str) -> None:
    line = start()
    answer = line.client.post("/relay/v1/triggers/songs", content=body, headers=headers)
    assert message in refused(answer)["message"]


def test_a_file_is_refused_with_what_to_do(start: Start) -> None:
    line = start()
    files = {"song": ("neon.mp3", b"ID3"), "image": (None, "https://media.example.com/1.png")}
    error = refused(line.client.post("/relay/v1/triggers/songs", files=files))
    assert [(one["field"], one["value"], one["rule"]) for one in error["details"]] == [
        ("song", "neon.mp3", "is a file")
    ]


def test_a_json_body_is_read_whatever_it_is_called(start: Start) -> None:
    line = start()
    content = httpx.Request("POST", line.url, json=ROW).content
    answer = line.client.post("/relay/v1/triggers/songs", content=content, headers={"content-type": "text/plain"})
    assert answer.status_code == 201, answer.text


def test_a_name_is_plain_and_options_say_what_fields_mean(start: Start) -> None:
    line = start()
    assert "1 to 50 of" in refused(send(line, ROW, "so, many"))["message"]
    row = {"Stems": ROW["Song"], "Pic": ROW["Cover image 1"], "Song": "Neon"}
    query = {"column": ["Stems=audio_url", "Pic=images", "Song=row.title"], "default": "aspect_ratio=4:3"}
    told = made(line, row, **query)
    assert told["request"]["aspect_ratio"] == "4:3"
    assert told["row"] == {"title": "Neon"}


def test_scopes_are_asked_for_and_each_key_sees_its_own(start: Start) -> None:
    line = start()

    def key(*scopes: str) -> dict[str, str]:
        made = line.client.post("/relay/v1/keys", json={"name": "tool", "scopes": scopes}).json()["data"]
        return {"authorization": f"Bearer {made['key']}"}

    def post(headers: dict[str, str]) -> httpx.Response:
        return httpx.post(f"{line.url}/relay/v1/triggers/songs", json=ROW, headers=headers, trust_env=False)

    assert post({}).status_code == 401
    assert post(key("read")).status_code == 403
    tool, other = key("submit", "read"), key("submit", "read")
    told = post(tool)
    assert told.status_code == 201
    assert post(other).json()["task_id"] != told.json()["task_id"], "another client's row is another row"
    asked = [httpx.get(told.json()["status_url"], headers=who, trust_env=False).status_code for who in (tool, other)]
    assert asked == [200, 404]


SECRET, OLD = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))


def signed(line: Line, body: bytes, secret: str, name: str = "songs", query: str = "", **more: str) -> httpx.Response:
    """Without a key, signed now."""
    at = int(more.pop("at", str(int(time.time()))))
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign([decode_secret(secret)], "msg_1", at, body),
        **more,
    }
    return httpx.post(f"{line.url}/relay/v1/triggers/{name}{query}", content=body, headers=headers, trust_env=False)


def test_a_signature_does_in_the_place_of_a_key_for_its_own_trigger(start: Start) -> None:
    line = start(trigger_secrets={"songs": [SECRET, OLD], "other": [OLD]})
    body = json.dumps(ROW).encode()
    told = signed(line, body, SECRET)
    assert told.status_code == 201, told.text
    assert signed(line, body, OLD).json()["task_id"] == told.json()["task_id"], "a rotation changes nobody's rows"
    assert signed(line, body, SECRET, query="?dry_run=true").json()["state"] == "known"
    assert line.task(told.json()["task_id"])["id"] == told.json()["task_id"], "the house sees it"


@pytest.mark.parametrize(
    ("case", "status", "message"),
    [
        ({"name": "other"}, 401, "does not fit"),
        ({"name": "unknown"}, 401, "has no secret"),
        ({"at": "1000000000"}, 401, "more than 300 s"),
        ({"webhook-signature": "v1,AAAA"}, 401, "does not fit"),
        ({"webhook-signature": ""}, 401, "does not fit"),
        ({"webhook-id": ""}, 401, "is missing"),
        ({"webhook-timestamp": "soon"}, 401, "is missing"),
        ({"query": "?failed=true"}, 400, "failed: a signature covers the body only"),
        ({"query": "?default=prompt=else"}, 400, "default: a signature covers"),
        ({"X-Beatrelay-Tags": "vip"}, 400, "x-beatrelay-tags: a signature covers"),
    ],
)
def test_what_is_not_signed_for_is_refused(start: Start, case: dict[str, str], status: int, message: str) -> None:
    line = start(trigger_secrets={"songs": [SECRET], "other": [OLD]})
    error = refused(signed(line, json.dumps(ROW).encode(), SECRET, **case), status)
    assert message in error["message"]
    assert line.client.get("/relay/v1/tasks").json()["data"]["data"] == []


def test_a_signature_opens_triggers_only(start: Start) -> None:
    line = start(trigger_secrets={"songs": [SECRET]})
    headers = {"webhook-id": "m", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
    for path in ("/v1/music-video/tasks", "/relay/v1/batches?name=x.csv"):
        assert httpx.post(line.url + path, headers=headers, content=b"{}", trust_env=False).status_code == 401
