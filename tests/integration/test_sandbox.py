"""The sandbox on a real socket, asked the way Beat API's clients ask it."""

import hashlib
import hmac
import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import av
import httpx
import pytest

from relay.contract import Account, Data, Listing, Task, WebhookEndpoint, WebhookEvent, Workflow, decode
from relay.sandbox.app import create_app
from relay.sandbox.faults import Faults
from relay.sandbox.settings import SandboxSettings
from tests.integration.conftest import REQUEST, Receiver, wait_for
from tests.servers import free_port, running

KEY = {"authorization": "Bearer sk_sandbox_test"}
Start = Callable[..., "Sandbox"]


class Sandbox(httpx.Client):
    """A client that has the key, and the questions tests ask."""

    def create(self, fault: str = "", **change: Any) -> str:
        headers = {"x-sandbox-fault": fault} if fault else {}
        answer = self.post("/v1/music-video/tasks", json={**REQUEST, **change}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["id"]

    def task(self, task_id: str) -> dict[str, Any]:
        return self.get(f"/v1/tasks/{task_id}").json()["data"]

    def until(self, task_id: str, *statuses: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in statuses else None

        return wait_for(there, f"{statuses}")

    def ledger(self) -> dict[str, Any]:
        return self.get("/sandbox/ledger").json()["data"]

    def refused(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = self.request(method, path, **more)
        error = answer.json()["error"]
        assert error["request_id"].startswith("req_")
        assert error["message"]
        return answer.status_code, error["code"]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def starting(faults: dict[str, Any] | None = None, **settings: Any) -> Sandbox:
            port = free_port()
            options = {"speed": 100.0, "poll_limit": 100_000, **settings}
            known = SandboxSettings(url=f"http://127.0.0.1:{port}", faults=Faults(**(faults or {})), **options)
            url = stack.enter_context(running(create_app(known), port=port))
            return stack.enter_context(Sandbox(base_url=url, headers=KEY, trust_env=False, timeout=20))

        yield starting


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    somebody = Receiver()
    with running(somebody) as url:
        yield somebody, url


def hear(receiver: tuple[Receiver, str]) -> dict[str, Any]:
    return {"webhook_url": receiver[1] + "/hook", "webhook_secret": "whsec_of_the_test"}


class TestTasks:
    def test_a_task_runs_to_a_real_video(self, start: Start) -> None:
        sandbox = start()
        created = decode(sandbox.post("/v1/music-video/tasks", json=REQUEST).content, Data[Task]).data
        assert (created.status, created.stage, created.output) == ("queued", "queued", None)
        task = sandbox.until(created.id, "succeeded")
        assert task["usage"] == {
            "credits_reserved": 75,
            "credits_settled": 75,
            "credits_refunded": 0,
            "credits_charged": 75,
            "billable_duration_seconds": 15,
        }
        url = task["output"]["r2_url"]
        assert url == task["output"]["media"][0]["url"]
        assert url.endswith(f"/outputs/{created.id}/0.mp4")
        content = sandbox.get(url).content
        with av.open(io.BytesIO(content)) as video:
            assert (video.streams.video[0].codec_context.name, video.streams.audio[0].codec_context.name) == (
                "h264",
                "aac",
            )
            assert video.streams.video[0].width == video.streams.video[0].height
            frames = [bytes(frame.planes[0]) for frame in video.decode(video=0)]
        assert 90 <= len(frames) <= 100
        assert len(set(frames)) > 90, "the picture does not move"
        assert content.find(b"moov") < content.find(b"mdat"), "the index is not at the front"

    def test_ranges(self, start: Start) -> None:
        sandbox = start()
        url = sandbox.until(sandbox.create(), "succeeded")["output"]["r2_url"]
        whole = sandbox.get(url).content
        part = sandbox.get(url, headers={"range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
        assert sandbox.get(url, headers={"range": "bytes=-5"}).content == whole[-5:]
        assert sandbox.get(url, headers={"range": f"bytes={len(whole)}-"}).status_code == 416
        head = sandbox.head(url)
        assert (head.headers["content-length"], head.content) == (str(len(whole)), b"")

    def test_an_ecommerce_video_costs_by_its_length(self, start: Start) -> None:
        sandbox = start()
        body = {"images": REQUEST["images"], "duration": 20}
        task = sandbox.post("/v1/ecommerce-video/tasks", json=body).json()["data"]
        assert (task["workflow"], task["usage"]["credits_charged"]) == ("ecommerce-video", 300)
        assert "storyboard" not in task

    def test_a_failed_task_is_refunded(self, start: Start) -> None:
        sandbox = start(balance=75)
        task = sandbox.until(sandbox.create("fail"), "failed")
        assert (task["error_code"], task["output"]) == ("processing_failed", None)
        assert task["usage"]["credits_refunded"] == 75
        assert sandbox.get("/v1/usage").json()["data"]["credit_balance"] == 75

    def test_an_upload_decides_the_price(self, start: Start) -> None:
        from tests.unit.sandbox.test_parts import sound

        sandbox = start()
        file = sandbox.post("/v1/files", files={"file": ("a.bin", sound(30))}).json()["data"]
        assert file["audio_duration_seconds"] == 30
        raw = sandbox.post("/v1/files", content=sound(30), headers={"content-type": "audio/x-wav"})
        assert (raw.status_code, raw.json()["data"]["mime_type"]) == (201, "audio/wav")
        assert sandbox.get(file["url"]).content == sound(30)
        task = sandbox.task(sandbox.create(audio_url=file["url"], duration=100))
        assert (task["usage"]["billable_duration_seconds"], task["usage"]["credits_charged"]) == (30, 150)

    def test_duration_counts_where_nothing_can_be_detected(self, start: Start) -> None:
        sandbox = start()
        assert sandbox.task(sandbox.create(duration=100))["usage"]["credits_charged"] == 500

    def test_a_storyboard_waits_is_edited_and_composed(self, start: Start) -> None:
        sandbox = start()
        task_id = sandbox.create(compose_mode="manual")
        task = sandbox.until(task_id, "storyboard_ready")
        shots = [shot["id"] for shot in task["storyboard"]["shots"]]
        assert (len(shots), task["usage"]["credits_settled"]) == (3, 75)
        assert sandbox.get("/v1/usage").json()["data"]["concurrency"]["active"] == 0
        media = sandbox.post(f"/v1/music-video/tasks/{task_id}/shots/{shots[0]}/media")
        assert media.status_code == 200
        assert sandbox.get(media.json()["data"]["media"]["url"]).content[4:8] == b"ftyp"
        edit = sandbox.post(f"/v1/music-video/tasks/{task_id}/shots/{shots[0]}/edit", json={"prompt": "Rain"})
        assert (edit.status_code, edit.json()["data"]["status"]) == (202, "editing")
        task = sandbox.until(task_id, "requires_action")
        assert task["storyboard"]["shots"][0]["prompt"] == "Rain"
        compose = sandbox.post(f"/v1/music-video/tasks/{task_id}/compose", json={"shot_ids": shots[::-1]})
        assert (compose.status_code, compose.json()["data"]["status"]) == (202, "composing")
        task = sandbox.until(task_id, "succeeded")
        assert task["usage"]["credits_charged"] == 75 + 25 + 1
        assert sandbox.refused("POST", f"/v1/music-video/tasks/{task_id}/compose", json={"shot_ids": ["shot_x"]}) == (
            404,
            "not_found",
        )

    def test_current_speaks_in_dollars_and_says_when_to_poll(self, start: Start) -> None:
        sandbox = start(contract="current")
        task = sandbox.task(sandbox.create())
        assert (task["usage"]["credits_charged"], task["task_kind"], task["poll_after_seconds"]) == (
            1.5,
            "workflow",
            10,
        )
        task = sandbox.until(sandbox.create("fail"), "failed")
        assert task["retryable"] is False
        assert "poll_after_seconds" not in task


class TestAccount:
    def test_lists_and_usage_have_the_contracts_shape(self, start: Start) -> None:
        sandbox = start()
        workflows = decode(httpx.get(sandbox.base_url.join("/v1/workflows")).content, Data[Listing[Workflow]]).data.data
        assert [workflow.id for workflow in workflows] == ["music-video", "ecommerce-video"]
        sandbox.create()
        usage = decode(sandbox.get("/v1/usage").content, Data[Account]).data
        assert (usage.total_tasks, usage.concurrency.limit, usage.concurrency.active) == (1, 5, 1)
        assert "period" not in sandbox.get("/v1/usage").json()["data"]
        assert start(contract="current").get("/v1/usage?period=7d").json()["data"]["period"] == "all"

    @pytest.mark.parametrize(
        ("contract", "missing", "wrong"),
        [
            ("launch", "unauthorized", "unauthorized"),
            ("current", "missing_api_key", "invalid_api_key"),
        ],
    )
    def test_a_key_is_needed(self, start: Start, contract: str, missing: str, wrong: str) -> None:
        sandbox = start(contract=contract)
        sandbox.headers.pop("authorization")
        assert sandbox.refused("GET", "/v1/usage") == (401, missing)
        assert sandbox.refused("GET", "/v1/usage", headers={"authorization": "Bearer nope"}) == (401, wrong)

    def test_accounts_do_not_see_each_other(self, start: Start) -> None:
        sandbox = start()
        task_id = sandbox.create()
        other = {"authorization": "Bearer sk_another_account"}
        assert sandbox.refused("GET", f"/v1/tasks/{task_id}", headers=other) == (404, "not_found")

    def test_slots_and_balance_run_out(self, start: Start) -> None:
        sandbox = start(concurrency=1, balance=100, speed=1.0)
        sandbox.create()
        assert sandbox.refused("POST", "/v1/music-video/tasks", json=REQUEST) == (429, "user_concurrency_exceeded")
        poor = start(balance=74)
        assert poor.refused("POST", "/v1/music-video/tasks", json=REQUEST) == (402, "insufficient_credits")
        assert poor.ledger()["charges"] == []

    def test_polls_are_limited_per_key_and_minute(self, start: Start) -> None:
        sandbox = start(poll_limit=3)
        task_id = sandbox.create()
        assert [sandbox.get(f"/v1/tasks/{task_id}").status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = sandbox.get(f"/v1/tasks/{task_id}")
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["retry_after_seconds"] == int(refused.headers["retry-after"])

    def test_current_honours_idempotency_keys_and_launch_ignores_them(self, start: Start) -> None:
        def ids(sandbox: Sandbox) -> list[str]:
            key = {"idempotency-key": "k"}
            return [sandbox.post("/v1/music-video/tasks", json=REQUEST, headers=key).json()["data"]["id"] for _ in "ab"]

        current, launch = start(contract="current"), start()
        assert len(set(ids(current))) == 1
        assert current.ledger()["creates"] == 1
        other = {**REQUEST, "prompt": "x"}
        answer = current.refused("POST", "/v1/music-video/tasks", json=other, headers={"idempotency-key": "k"})
        assert answer == (409, "idempotency_conflict")
        assert len(set(ids(launch))) == 2

    def test_a_refused_create_frees_its_key(self, start: Start) -> None:
        sandbox = start(contract="current")
        key = {"idempotency-key": "k"}
        bad = {**REQUEST, "aspect_ratio": "1:9"}
        assert sandbox.refused("POST", "/v1/music-video/tasks", json=bad, headers=key)[0] == 400
        assert sandbox.post("/v1/music-video/tasks", json=bad | {"aspect_ratio": "1:1"}, headers=key).status_code == 201

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/tasks", "/v1/tasks/", "/v1/workflows/", "/v1/nothing"])
    def test_nothing_ever_redirects(self, start: Start, path: str) -> None:
        answer = start().get(path)
        assert answer.status_code in (200, 404, 405)
        assert answer.headers["content-type"] == "application/json"

    def test_odd_clients_are_understood(self, start: Start) -> None:
        sandbox = start()
        task_id = sandbox.create()
        assert sandbox.get("/v1/workflows", headers={"content-type": "application/json"}).status_code == 200
        assert sandbox.get(f"/v1/tasks/{task_id.replace('_', '%5F')}").json()["data"]["id"] == task_id


class TestWebhooks:
    def test_endpoints_are_made_shown_masked_changed_and_deleted(self, start: Start) -> None:
        sandbox = start()
        made = decode(
            sandbox.post("/v1/webhooks", json={"url": "https://x.example/h"}).content, Data[WebhookEndpoint]
        ).data
        assert made.secret.startswith("whsec_")
        assert "masked" not in made.secret
        assert made.events == ["task.succeeded", "task.failed"]
        listed = sandbox.get("/v1/webhooks").json()["data"]["data"]
        assert ["masked" in endpoint["secret"] for endpoint in listed] == [True]
        path = f"/v1/webhooks/{made.id}"
        changed = sandbox.patch(path, json={"status": "disabled", "events": ["task.failed"]}).json()["data"]
        assert (changed["status"], changed["events"], changed["url"]) == ("disabled", ["task.failed"], made.url)
        assert sandbox.delete(path).json()["data"] == {"id": made.id, "deleted": True}
        assert sandbox.refused("GET", path) == (404, "not_found")
        assert sandbox.refused("POST", "/v1/webhooks", json={"url": "x", "events": ["task.odd"]})[0] == 400

    def test_local_endpoints_can_be_refused(self, start: Start) -> None:
        sandbox = start(allow_local_webhooks=False)
        assert sandbox.refused("POST", "/v1/webhooks", json={"url": "http://127.0.0.1/h"}) == (400, "bad_request")

    def test_a_finish_is_told_signed(self, start: Start, receiver: tuple[Receiver, str]) -> None:
        sandbox = start(**hear(receiver))
        task_id = sandbox.create()
        wait_for(lambda: receiver[0].received, "the webhook")
        headers, body = receiver[0].received[0]
        message = headers["x-beatapi-timestamp"].encode() + b"." + body
        assert headers["x-beatapi-signature"] == hmac.new(b"whsec_of_the_test", message, hashlib.sha256).hexdigest()
        event = decode(body, WebhookEvent)
        assert (event.event, headers["x-beatapi-event"]) == ("task.succeeded", "task.succeeded")
        assert json.loads(body)["data"] == sandbox.task(task_id)

    @pytest.mark.parametrize(("contract", "attempts"), [("launch", 4), ("current", 3)])
    def test_a_refused_webhook_comes_again_and_then_never_more(
        self, start: Start, receiver: tuple[Receiver, str], contract: str, attempts: int
    ) -> None:
        sandbox = start(**hear(receiver), contract=contract, speed=1000.0)
        receiver[0].answers = [500] * 10
        sandbox.create()
        wait_for(lambda: len(receiver[0].received) == attempts, "all attempts")
        assert len({body for _, body in receiver[0].received}) == 1
        wait_for(lambda: len(sandbox.ledger()["webhooks"]) == attempts, "all attempts in the ledger")
        assert [attempt["attempt"] for attempt in sandbox.ledger()["webhooks"]] == list(range(1, attempts + 1))

    @pytest.mark.parametrize(
        ("fault", "count"), [("drop-webhook", 0), ("duplicate-webhook", 2), ("late-webhook=100", 1)]
    )
    def test_webhooks_go_wrong_on_demand(
        self, start: Start, receiver: tuple[Receiver, str], fault: str, count: int
    ) -> None:
        sandbox = start(**hear(receiver))
        sandbox.until(sandbox.create(fault), "succeeded")
        wait_for(lambda: len(sandbox.ledger()["webhooks"]) == max(count, 1), "the ledger")
        assert len(receiver[0].received) == count

    def test_stale_webhooks_are_ten_minutes_old(self, start: Start, receiver: tuple[Receiver, str]) -> None:
        sandbox = start(**hear(receiver), faults={"stale_webhooks": True})
        task_id = sandbox.create()
        wait_for(lambda: receiver[0].received, "the webhook")
        headers, _ = receiver[0].received[0]
        age = sandbox.task(task_id)["completed_at"] - int(headers["x-beatapi-timestamp"])
        assert 598 <= age <= 602

    def test_webhooks_overtake_each_other(self, start: Start, receiver: tuple[Receiver, str]) -> None:
        sandbox = start(**hear(receiver), faults={"reorder": True}, speed=60.0)
        tasks = [sandbox.create() for _ in range(2)]
        wait_for(lambda: len(receiver[0].received) == 2, "both webhooks")
        finished = sorted(tasks, key=lambda task_id: sandbox.task(task_id)["completed_at"])
        assert {json.loads(body)["data"]["id"] for _, body in receiver[0].received} == set(finished)


class TestFaults:
    def test_errors_before_anything_is_done(self, start: Start) -> None:
        sandbox = start(faults={"error_rate": 1.0, "error_paths": ["/v1/tasks"]})
        task_id = sandbox.create()
        assert sandbox.refused("GET", f"/v1/tasks/{task_id}")[0] in (500, 503)
        sandbox.post("/sandbox/faults", json={"error_rate": 1.0, "error_status": "429"})
        assert sandbox.refused("GET", "/v1/usage") == (429, "rate_limit_exceeded")
        sandbox.post("/sandbox/faults", json={})
        assert sandbox.task(task_id)["id"] == task_id
        assert sandbox.refused("POST", "/sandbox/faults", json={"eror_rate": 1})[0] == 400

    def test_a_lost_answer_is_charged_and_never_comes(self, start: Start) -> None:
        sandbox = start(faults={"lost_answers": 1.0})
        with pytest.raises(httpx.TransportError):
            sandbox.post("/v1/music-video/tasks", json=REQUEST)
        assert sandbox.ledger()["creates"] == 1

    def test_an_answer_can_take_its_time(self, start: Start) -> None:
        sandbox = start(faults={"slow": 0.3})
        with pytest.raises(httpx.ReadTimeout):
            sandbox.post("/v1/music-video/tasks", json=REQUEST, timeout=0.1)
        assert sandbox.ledger()["creates"] == 1

    def test_outputs_break_on_demand(self, start: Start) -> None:
        sandbox = start()
        html, cut, gone = (
            sandbox.until(sandbox.create(fault), "succeeded")["output"]["r2_url"]
            for fault in ("html-output", "truncated-output", "output-404")
        )
        assert sandbox.get(html).headers["content-type"].startswith("text/html")
        assert sandbox.get(gone).status_code == 404
        with pytest.raises(httpx.RemoteProtocolError):
            sandbox.get(cut)

    def test_odd_lives(self, start: Start) -> None:
        sandbox = start(speed=300.0)
        assert sandbox.until(sandbox.create("timeout"), "failed")["error_code"] == "processing_timeout"
        odd = sandbox.create("unknown-status")
        sandbox.until(odd, "polishing")
        sandbox.until(odd, "succeeded")
        stuck = sandbox.create("stuck")
        sandbox.until(stuck, "processing")

    def test_peak_concurrency_is_known(self, start: Start) -> None:
        sandbox = start(speed=20.0)
        for _ in range(3):
            sandbox.create()
        assert sandbox.ledger()["peak_concurrency"] == 3
