"""Customers' webhook endpoints on real sockets: a sandbox, a relay, and receivers that verify what they get."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from relay.contract import WebhookEvent
from tests.integration.conftest import REQUEST, Line, wait_for
from tests.receivers import Strict, official, standard
from tests.servers import running

Start = Callable[..., Line]


@pytest.fixture
def strict() -> Iterator[Strict]:
    receiver = Strict()
    with running(receiver) as url:
        receiver.url = url  # type: ignore[attr-defined]  # where it is
        yield receiver


@pytest.fixture
def line(start: Start, strict: Strict) -> Line:
    return start(recipe="", allow_private=[strict.url.removeprefix("http://")])  # type: ignore[attr-defined]


def subscribe(line: Line, url: str, client: httpx.Client | None = None, **more: Any) -> dict[str, Any]:
    answer = (client or line.client).post("/v1/webhooks", json={"url": f"{url}/hook", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def with_key(line: Line, *scopes: str) -> httpx.Client:
    made = line.client.post("/relay/v1/keys", json={"name": "customer", "scopes": scopes}).json()["data"]
    headers = {"authorization": f"Bearer {made['key']}"}
    return httpx.Client(base_url=line.url, headers=headers, trust_env=False, timeout=20)


def taken(strict: Strict, count: int) -> list[dict[str, Any]]:
    return wait_for(lambda: strict.taken if len(strict.taken) >= count else None, f"{count} accepted deliveries")


def test_a_delivery_is_signed_in_both_ways_and_carries_our_own_task(line: Line, strict: Strict) -> None:
    endpoint = subscribe(line, strict.url)
    secret = endpoint["secret"]
    strict.check = lambda headers, body: (
        official(secret, headers, body, time.time()) and standard(secret, headers, body)
    )
    task_id = line.create()
    body = taken(strict, 1)[0]
    headers, raw, _ = strict.seen[0]
    event = msgspec.json.decode(raw, type=WebhookEvent)
    assert (event.event, event.data.id, event.data.status) == ("task.succeeded", task_id, "succeeded")
    assert event.data.output is not None
    assert body["data"] == line.task(task_id)
    assert (headers["x-beatapi-event"], headers["webhook-id"]) == ("task.succeeded", event.id)
    assert (body["type"], body["event"]) == ("task.succeeded", "task.succeeded")
    assert event.id.startswith("evt_")
    assert len(strict.seen) == 1


def test_a_retry_has_the_same_id_and_a_fresh_signature(line: Line, strict: Strict) -> None:
    secret = subscribe(line, strict.url)["secret"]
    strict.answers = [500]
    strict.check = lambda headers, body: standard(secret, headers, body)
    line.create()
    taken(strict, 1)
    (first, first_body, _), (again, again_body, _) = strict.seen
    assert first["webhook-id"] == again["webhook-id"]
    assert first_body == again_body
    assert int(again["webhook-timestamp"]) > int(first["webhook-timestamp"])


def test_the_contract_of_an_endpoint(line: Line, strict: Strict) -> None:
    made = subscribe(line, strict.url, description="Production")
    fields = {"id", "object", "url", "description", "events", "status", "secret", "created_at", "updated_at"}
    assert made.keys() == fields
    assert (made["object"], made["status"]) == ("webhook_endpoint", "active")
    assert made["events"] == ["task.succeeded", "task.failed"]
    assert made["secret"].startswith("whsec_")
    assert "masked" not in made["secret"]
    path = f"/v1/webhooks/{made['id']}"
    known = line.client.get(path).json()["data"]
    assert "masked" in known["secret"]
    assert {**known, "secret": made["secret"]} == made
    assert line.client.get("/v1/webhooks").json()["data"] == {"object": "list", "data": [known]}
    changed = line.client.patch(path, json={"status": "disabled", "events": ["task.updated"]}).json()["data"]
    assert (changed["status"], changed["events"]) == ("disabled", ["task.updated"])
    assert line.client.delete(path).json() == {"data": {"id": made["id"], "deleted": True}}
    assert line.client.get(path).status_code == 404
    assert line.client.get("/v1/webhooks").json()["data"]["data"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"url": "http://example.com/hook"}, "must start with https://"),
        ({"url": "https://127.0.0.1/hook"}, "must not lead to a private address"),
        ({"url": "https://[::1]/hook"}, "must not lead to a private address"),
        ({"url": "https://169.254.169.254/latest"}, "must not lead to a private address"),
        ({"url": "https://localhost/hook"}, "must not lead to a private address"),
        ({"url": "https://printer.local/hook"}, "must not lead to a private address"),
        ({"url": "https://user:pass@example.com/"}, "without a user name"),
        ({"url": "ftp://example.com"}, "must be an https:// URL"),
        ({"url": "data:text/plain,hi"}, "must be an https:// URL"),
        ({"url": "https://exa mple.com:99999/"}, "must be an https:// URL"),
        ({"url": "https://example.com", "events": []}, "`events` must name some of"),
        ({"url": "https://example.com", "events": ["task.made"]}, "task.made"),
        ({"url": "https://example.com", "description": "x" * 501}, "`description` must be at most 500"),
        ({}, "url"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_in_words(line: Line, body: dict[str, Any], words: str) -> None:
    answer = line.client.post("/v1/webhooks", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "bad_request"
    assert words in answer.text


def test_each_customer_hears_of_its_own_tasks_and_the_house_of_all(line: Line, strict: Strict) -> None:
    with with_key(line, "submit", "read") as one, with_key(line, "submit", "read") as other:
        mine = subscribe(line, f"{strict.url}/one", one)
        subscribe(line, f"{strict.url}/house")
        assert other.get(f"/v1/webhooks/{mine['id']}").status_code == 404
        assert other.get("/v1/webhooks").json()["data"]["data"] == []
        assert other.delete(f"/v1/webhooks/{mine['id']}").status_code == 404
        first = one.post("/v1/music-video/tasks", json=REQUEST).json()["data"]["id"]
        second = other.post("/v1/music-video/tasks", json=REQUEST).json()["data"]["id"]
        bodies = taken(strict, 3)
        assert sorted(body["data"]["id"] for body in bodies) == sorted([first, first, second])
        seen = {body["data"]["id"] for body in one.get("/v1/events").json()["data"]["data"]}
        assert seen == {first}
        house = {body["data"]["id"] for body in line.client.get("/v1/events").json()["data"]["data"]}
        assert house == {first, second}


def test_only_who_asked_hears_of_every_change_and_of_waiting_for_a_person(line: Line, strict: Strict) -> None:
    subscribe(line, strict.url, events=["task.requires_action", "task.updated"])
    answer = line.client.post("/v1/music-video/tasks", json={**REQUEST, "compose_mode": "manual"})
    task_id = answer.json()["data"]["id"]
    line.until(task_id, "task.finished")
    wait_for(lambda: any(body["event"] == "task.requires_action" for body in strict.taken), "task.requires_action")
    telling = [moment for moment in line.kinds(task_id) if moment in ("task.observed", "task.confirmed")]
    wait_for(lambda: len(strict.taken) > len(telling), "an update for each telling observation")
    updates = [body for body in strict.taken if body["event"] == "task.updated"]
    assert len(updates) == len(telling)
    assert len({body["id"] for body in strict.taken}) == len(strict.taken)
    assert {"queued", "requires_action"} & {body["data"]["status"] for body in updates}


def test_410_disables_the_endpoint_with_a_notice(line: Line, strict: Strict) -> None:
    endpoint = subscribe(line, strict.url)
    strict.answers = [410]
    task_id = line.create()
    told = line.until(task_id, "endpoint.disabled")[0]
    assert told["endpoint"] == endpoint["id"]
    assert line.client.get(f"/v1/webhooks/{endpoint['id']}").json()["data"]["status"] == "disabled"
    notice = line.client.get("/relay/v1/notices").json()["data"]["data"][0]
    assert (notice["about"], notice["kind"]) == (endpoint["id"], "endpoint.disabled")
    assert "answered 410" in notice["text"]
    line.until(task_id, "delivery.dead")
    other = line.create()
    line.until(other, "task.finished")
    line.until(other, "delivery.done")  # the archive; nothing went to the disabled endpoint
    assert len(strict.seen) == 1


def test_what_a_disabled_endpoint_missed_is_replayed_under_the_same_ids(line: Line, strict: Strict) -> None:
    endpoint = subscribe(line, strict.url)
    strict.answers = [410]
    first, began = line.create(), time.time() - 1
    line.until(first, "endpoint.disabled")
    second = line.create()
    line.until(second, "task.finished")
    path = f"/relay/v1/endpoints/{endpoint['id']}"
    line.client.patch(f"/v1/webhooks/{endpoint['id']}", json={"status": "active"})
    answer = line.client.post(f"{path}/replay", json={"since": began})
    assert answer.json() == {"data": {"deliveries": 2}}
    bodies = taken(strict, 2)
    assert {body["data"]["id"] for body in bodies} == {first, second}
    ids = {body["id"] for body in line.client.get("/v1/events").json()["data"]["data"]}
    assert {body["id"] for body in bodies} == ids
    again = bodies[0]["id"]
    wait_for(lambda: line.client.post(f"{path}/replay", json={"event_id": again}).json()["data"]["deliveries"], "due")
    assert taken(strict, 3)[2]["id"] == again
    log = wait_for(
        lambda: [
            one
            for one in line.client.get(f"{path}/deliveries").json()["data"]["data"]
            if one["state"] == "done" and one["response"]["status"] == 204
        ],
        "deliveries in the log",
    )
    assert {one["event_id"] for one in log} <= ids
    assert line.client.post(f"{path}/replay", json={"event_id": "evt_none"}).status_code == 400
    assert line.client.post(f"{path}/replay", json={}).status_code == 400


@pytest.mark.parametrize("verifies", ["official", "standard"])
@pytest.mark.parametrize("knows", ["old", "new"])
def test_during_a_rotation_either_secret_verifies(line: Line, strict: Strict, verifies: str, knows: str) -> None:
    endpoint = subscribe(line, strict.url)
    rotated = line.client.post(f"/relay/v1/endpoints/{endpoint['id']}/rotate", json={})
    assert rotated.status_code == 200, rotated.text
    secrets = {"old": endpoint["secret"], "new": rotated.json()["data"]["secret"]}
    assert secrets["old"] != secrets["new"]
    secret = secrets[knows]
    if verifies == "official":
        strict.check = lambda headers, body: official(secret, headers, body, time.time())
    else:
        strict.check = lambda headers, body: standard(secret, headers, body)
    task_id = line.create()
    taken(strict, 1)
    line.until(task_id, "delivery.done", 2)
    assert "delivery.failed" not in line.kinds(task_id)


def test_without_overlap_only_the_new_secret_signs(line: Line, strict: Strict) -> None:
    endpoint = subscribe(line, strict.url)
    path = f"/relay/v1/endpoints/{endpoint['id']}/rotate"
    new = line.client.post(path, json={"overlap_seconds": 0}).json()["data"]["secret"]
    line.create()
    taken(strict, 1)
    headers, body, _ = strict.seen[0]
    assert official(new, headers, body, time.time())
    assert standard(new, headers, body)
    assert not standard(endpoint["secret"], headers, body)
    assert " " not in headers["webhook-signature"]


def test_events_show_samples_until_something_happens(line: Line) -> None:
    path = "/v1/events"
    samples = line.client.get(path).json()["data"]
    assert samples["object"] == "list"
    assert [one["event"] for one in samples["data"]] == ["task.succeeded", "task.failed"]
    for one in samples["data"]:
        msgspec.convert(one, WebhookEvent, strict=False)
    assert line.client.get(path, params={"type": "task.failed"}).json()["data"]["data"][0]["event"] == "task.failed"
    assert line.client.get(path, params={"type": "task.made"}).status_code == 400
    task_id = line.create()
    line.until(task_id, "task.finished")
    real = line.client.get(path, params={"type": "task.succeeded", "limit": 5}).json()["data"]["data"]
    assert [one["data"]["id"] for one in real] == [task_id]
