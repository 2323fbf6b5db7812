"""REST hooks, as Zapier, Make and n8n use them: subscribe, get flat events, unsubscribe."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.integration.conftest import Line, wait_for
from tests.receivers import Strict, standard
from tests.servers import running

Start = Callable[..., Line]


@pytest.fixture
def scene(start: Start) -> Iterator[tuple[Line, Strict, str]]:
    receiver = Strict()
    with running(receiver) as url:
        yield start(recipe="", allow_private=[url.removeprefix("http://")]), receiver, f"{url}/hook"


def subscribe(line: Line, url: str, **more: Any) -> dict[str, Any]:
    answer = line.client.post("/relay/v1/hooks", json={"target_url": url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def is_flat(value: dict[str, Any]) -> bool:
    return not any(isinstance(one, dict | list) for one in value.values())


def test_a_hook_gets_one_flat_event_with_our_own_copy_of_the_video(scene: tuple[Line, Strict, str]) -> None:
    line, receiver, url = scene
    hook = subscribe(line, url)
    receiver.check = lambda headers, body: standard(hook["secret"], headers, body)
    task_id = line.create(row={"title": "Neon", "artist": "Ada"})
    event = wait_for(lambda: receiver.taken, "the event")[0]
    assert is_flat(event)
    assert (event["event"], event["task_id"], event["status"]) == ("task.succeeded", task_id, "succeeded")
    assert (event["title"], event["artist"], event["prompt"]) == ("Neon", "Ada", "Neon rooftop")
    assert event["error_code"] is None
    video = httpx.get(event["video_url"], trust_env=False).content
    assert (len(video), hashlib.sha256(video).hexdigest()) == (event["size_bytes"], event["sha256"])
    (sample,) = line.client.get("/relay/v1/hooks/sample").json()
    assert sample == event
    assert len(receiver.seen) == 1


def test_the_sample_is_a_bare_array_that_is_never_empty_and_has_every_key(scene: tuple[Line, Strict, str]) -> None:
    line, receiver, url = scene
    keys = set()
    for event in ("task.succeeded", "task.failed", "task.requires_action", "task.updated"):
        samples = line.client.get("/relay/v1/hooks/sample", params={"event": event}).json()
        assert isinstance(samples, list)
        assert len(samples) == 1
        assert samples[0]["event"] == event
        assert is_flat(samples[0])
        keys.add(tuple(samples[0]))
    assert len(keys) == 1, "the shape depends on the event"
    subscribe(line, url)
    line.create()
    event = wait_for(lambda: receiver.taken, "the event")[0]
    assert (tuple(event),) == tuple(keys), "a real event has another shape than the sample"


def test_an_unsubscription_never_fails(scene: tuple[Line, Strict, str]) -> None:
    line, receiver, url = scene
    hook = subscribe(line, url)
    for hook_id in (hook["id"], hook["id"], "hook_none", "12"):
        answer = line.client.delete(f"/relay/v1/hooks/{hook_id}")
        assert (answer.status_code, answer.json()) == (200, {})
    task_id = line.create()
    line.until(task_id, "delivery.done")
    assert receiver.seen == []


def test_a_webhook_endpoint_is_not_ended_like_a_hook(scene: tuple[Line, Strict, str]) -> None:
    line, _, url = scene
    made = line.client.post("/v1/webhooks", json={"url": url}).json()["data"]
    assert line.client.delete(f"/relay/v1/hooks/{made['id']}").json() == {}
    assert line.client.get(f"/v1/webhooks/{made['id']}").status_code == 200


def test_410_forgets_the_subscription(scene: tuple[Line, Strict, str]) -> None:
    line, receiver, url = scene
    hook = subscribe(line, url)
    receiver.answers = [410]
    task_id = line.create()
    line.until(task_id, "endpoint.removed")
    known = line.client.get("/relay/v1/endpoints").json()["data"]["data"]
    assert known == []
    notice = line.client.get("/relay/v1/notices").json()["data"]["data"][0]
    assert (notice["about"], notice["kind"]) == (hook["id"], "endpoint.removed")
    line.until(task_id, "delivery.dead")
    assert len(receiver.seen) == 1


def test_a_hook_that_cannot_be_is_refused_in_words(scene: tuple[Line, Strict, str]) -> None:
    line, _, _ = scene
    answer = line.client.post("/relay/v1/hooks", json={"target_url": "http://10.0.0.1/x"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("`target_url` must start with https://")


def test_a_tool_can_test_its_key(scene: tuple[Line, Strict, str]) -> None:
    line, _, _ = scene
    assert line.client.get("/relay/v1/me").json()["data"]["scopes"] == ["admin", "operate", "read", "submit"]
