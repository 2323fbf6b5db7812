"""The sandbox on the wire: connections that end, ranges, keys in flight, and the second cut of a video."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.conftest import REQUEST, Receiver, wait_for
from tests.integration.test_sandbox import Sandbox, Start, hear, receiver, start

__all__ = ["receiver", "start"]  # fixtures
CREATE = "/v1/music-video/tasks"


def received(sandbox: Sandbox, method: str, url: str, body: dict[str, Any] | None = None, **headers: str) -> bytes:
    """Everything that comes before the connection ends."""
    content = b"" if body is None else json.dumps(body).encode()
    known = {**dict(sandbox.headers), "content-length": str(len(content)), "connection": "close", **headers}
    lines = [f"{method} {urlsplit(url).path} HTTP/1.1", *(f"{name}: {value}" for name, value in known.items()), "", ""]
    with socket.create_connection((sandbox.base_url.host, sandbox.base_url.port or 0), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + content)
        return b"".join(iter(lambda: connection.recv(65536), b""))


class TestConnections:
    @pytest.mark.parametrize("for_all", [True, False])
    def test_a_lost_answer_is_no_answer_at_all(self, start: Start, for_all: bool) -> None:
        sandbox = start(faults={"lost_answers": 1.0} if for_all else None)
        headers = {} if for_all else {"x-sandbox-fault": "lost-answer"}
        assert received(sandbox, "POST", CREATE, REQUEST, host="sandbox", **headers) == b""
        ledger = sandbox.ledger()
        assert (ledger["creates"], [charge["credits"] for charge in ledger["charges"]]) == (1, [75])

    def test_a_lost_answer_is_accepted_and_its_key_brings_the_task(self, start: Start) -> None:
        sandbox = start(contract="current", faults={"lost_answers": 1.0})
        key = {"idempotency-key": "once"}
        with pytest.raises(httpx.RemoteProtocolError):
            sandbox.post(CREATE, json=REQUEST, headers=key)
        sandbox.post("/sandbox/faults", json={})
        assert sandbox.post(CREATE, json=REQUEST, headers=key).status_code == 201
        assert sandbox.ledger()["creates"] == 1

    def test_a_truncated_output_breaks_off_half_way(self, start: Start) -> None:
        sandbox = start()
        url = sandbox.until(sandbox.create("truncated-output"), "succeeded")["output"]["r2_url"]
        head, _, body = received(sandbox, "GET", url, host="sandbox").partition(b"\r\n\r\n")
        declared = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert len(body) == declared // 2
        assert body[4:8] == b"ftyp"

    def test_other_requests_go_on_while_one_answer_is_slow(self, start: Start) -> None:
        sandbox = start(faults={"slow": 0.6})
        with pytest.raises(httpx.ReadTimeout):
            sandbox.get("/v1/usage", timeout=0.2)
        assert sandbox.ledger()["creates"] == 0

    @pytest.mark.parametrize("path", ["/v1/workflows/", "/v1/usage/"])
    def test_a_trailing_slash_is_answered_in_place(self, start: Start, path: str) -> None:
        assert start().get(path).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/v1/nothing", "/outputs/task_x/0.mp4", "/inputs/nothing.png"])
    def test_what_is_not_there_is_said_in_the_envelope(self, start: Start, path: str) -> None:
        assert start().refused("GET", path) == (404, "not_found")


class TestRanges:
    @pytest.fixture
    def output(self, start: Start) -> tuple[Sandbox, str, bytes]:
        sandbox = start()
        url = sandbox.until(sandbox.create(), "succeeded")["output"]["r2_url"]
        return sandbox, url, sandbox.get(url).content

    def test_a_download_goes_on_where_it_broke_off_unless_the_file_is_another(
        self, output: tuple[Sandbox, str, bytes]
    ) -> None:
        sandbox, url, whole = output
        first = sandbox.get(url, headers={"range": "bytes=0-99"})
        assert (first.status_code, first.headers["accept-ranges"]) == (206, "bytes")
        rest = sandbox.get(url, headers={"range": "bytes=100-", "if-range": first.headers["etag"]})
        assert first.content + rest.content == whole
        other = sandbox.get(url, headers={"range": "bytes=100-", "if-range": '"another"'})
        assert (other.status_code, other.content) == (200, whole)

    def test_an_end_beyond_the_end_is_the_end(self, output: tuple[Sandbox, str, bytes]) -> None:
        sandbox, url, whole = output
        for asked in ("bytes=10-999999999", "bytes=10-"):
            part = sandbox.get(url, headers={"range": asked})
            assert part.headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}", asked
        assert sandbox.get(url, headers={"range": "bytes=-999999999"}).content == whole

    def test_a_range_of_nothing_is_416_and_tells_the_size(self, output: tuple[Sandbox, str, bytes]) -> None:
        sandbox, url, whole = output
        for asked in ("bytes=999999999-", "bytes=-0"):
            answer = sandbox.get(url, headers={"range": asked})
            assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(whole)}"), asked

    def test_a_range_that_is_none_is_overlooked(self, output: tuple[Sandbox, str, bytes]) -> None:
        sandbox, url, whole = output
        for asked in ("bytes=5-3", "items=0-5", "bytes=0-1,4-5", "bytes=-", "nonsense"):
            answer = sandbox.get(url, headers={"range": asked})
            assert (answer.status_code, answer.content) == (200, whole), asked


class TestKeys:
    def test_a_key_in_flight_is_a_conflict_and_brings_the_task_afterwards(self, start: Start) -> None:
        sandbox = start(contract="current", speed=10.0)
        headers = {"idempotency-key": "once", "x-sandbox-fault": "slow-create=5"}
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(sandbox.post, CREATE, json=REQUEST, headers=headers) for _ in "ab"]
            answers = sorted((one.result() for one in sent), key=lambda answer: answer.status_code)
        assert [answer.status_code for answer in answers] == [201, 409]
        assert answers[1].json()["error"]["code"] == "idempotency_conflict"
        again = sandbox.post(CREATE, json=REQUEST, headers=headers)
        assert again.json()["data"]["id"] == answers[0].json()["data"]["id"]
        assert sandbox.ledger()["creates"] == 1

    @pytest.mark.parametrize(("contract", "honour", "creates"), [("launch", True, 1), ("current", False, 2)])
    def test_keys_are_honoured_or_ignored_against_the_contract(
        self, start: Start, contract: str, honour: bool, creates: int
    ) -> None:
        sandbox = start(contract=contract, honour_idempotency=honour)
        for _ in range(2):
            sandbox.post(CREATE, json=REQUEST, headers={"idempotency-key": "k"}).raise_for_status()
        assert sandbox.ledger()["creates"] == creates

    def test_an_edit_and_a_compose_are_charged_once_for_their_key(self, start: Start) -> None:
        sandbox = start(contract="current")
        task_id = sandbox.create(compose_mode="manual")
        shots = [shot["id"] for shot in sandbox.until(task_id, "storyboard_ready")["storyboard"]["shots"]]
        edit, compose = f"{CREATE}/{task_id}/shots/{shots[0]}/edit", f"{CREATE}/{task_id}/compose"
        for path, body, status in (
            (edit, {"prompt": "Rain"}, "requires_action"),
            (compose, {"shot_ids": shots}, "succeeded"),
        ):
            for _ in range(2):
                assert sandbox.post(path, json=body, headers={"idempotency-key": path}).status_code == 202
                sandbox.until(task_id, status)
        charges = [(charge["operation"], charge["credits"]) for charge in sandbox.ledger()["charges"]]
        assert charges == [("create", 1.5), ("edit", 0.5), ("compose", 1.0)]

    def test_only_given_keys_are_accounts_where_some_are_given(self, start: Start) -> None:
        sandbox = start(keys=["sk_sandbox_test"])
        assert sandbox.get("/v1/usage").status_code == 200
        other = {"authorization": "Bearer sk_somebody_else"}
        assert sandbox.refused("GET", "/v1/usage", headers=other) == (401, "unauthorized")


class TestAccounts:
    def test_the_ledger_tells_of_one_account_or_of_all(self, start: Start) -> None:
        sandbox = start()
        sandbox.create()
        other = {"authorization": "Bearer sk_somebody_else"}
        sandbox.post(CREATE, json=REQUEST, headers=other).raise_for_status()
        assert sandbox.ledger()["creates"] == 1
        assert sandbox.get("/sandbox/ledger", headers=other).json()["data"]["creates"] == 1
        everything = httpx.get(sandbox.base_url.join("/sandbox/ledger"), trust_env=False).json()["data"]
        assert (everything["creates"], len(everything["charges"])) == (2, 2)

    @pytest.mark.parametrize("path", ["/v1/usage?period=1y", "/v1/usage?since=1"])
    def test_current_usage_takes_no_other_query(self, start: Start, path: str) -> None:
        assert start(contract="current").refused("GET", path) == (400, "bad_request")
        assert start().get(path).status_code == 200

    def test_a_misspelt_fault_makes_no_task(self, start: Start) -> None:
        sandbox = start()
        headers = {"x-sandbox-fault": "drop-webhooks"}
        assert sandbox.refused("POST", CREATE, json=REQUEST, headers=headers) == (400, "bad_request")
        assert sandbox.ledger()["charges"] == []

    def test_wrong_faults_leave_those_that_were_set(self, start: Start) -> None:
        sandbox = start()
        assert sandbox.refused("POST", "/sandbox/faults", json={"error_status": "abc"}) == (400, "bad_request")
        assert sandbox.get("/v1/usage").status_code == 200

    def test_an_upload_cannot_be_used_as_something_else(self, start: Start) -> None:
        sandbox = start()
        file = sandbox.post("/v1/files", files={"file": ("a.png", b"\x89PNG\r\n\x1a\n....")}).json()["data"]
        sandbox.create(images=[file["url"]])
        answer = sandbox.post(CREATE, json={**REQUEST, "audio_url": file["url"]})
        assert answer.status_code == 400
        assert [problem["field"] for problem in answer.json()["error"]["details"]] == ["audio_url"]
        form = {"files": {"file": ("a.png", b"\x89PNG\r\n\x1a\n....")}, "data": {"purpose": "output"}}
        assert sandbox.refused("POST", "/v1/files", **form) == (400, "bad_request")


class TestSecondCuts:
    def test_a_video_composed_again_is_another_and_is_told_again(
        self, start: Start, receiver: tuple[Receiver, str]
    ) -> None:
        sandbox = start(**hear(receiver), speed=40.0)
        task_id = sandbox.create()
        first = sandbox.until(task_id, "succeeded")
        content = sandbox.get(first["output"]["r2_url"]).content
        shots = [shot["id"] for shot in first["storyboard"]["shots"]]
        accepted = sandbox.post(f"{CREATE}/{task_id}/compose", json={"shot_ids": shots[:1]}).json()["data"]
        assert (accepted["status"], accepted["completed_at"]) == ("composing", None)
        assert accepted["output"] == first["output"], "the first video stays until the second is there"
        second = sandbox.until(task_id, "succeeded")
        assert sandbox.get(second["output"]["r2_url"]).content != content
        assert second["usage"]["credits_settled"] == 76
        wait_for(lambda: len(receiver[0].received) == 2, "both webhooks")
        events = [json.loads(body) for _, body in receiver[0].received]
        assert [event["event"] for event in events] == ["task.succeeded"] * 2
        assert len({event["id"] for event in events}) == 2

    def test_an_edit_after_the_end_comes_back_to_it_without_a_webhook(
        self, start: Start, receiver: tuple[Receiver, str]
    ) -> None:
        sandbox = start(**hear(receiver))
        task_id = sandbox.create(resolution="540p")
        first = sandbox.until(task_id, "succeeded")
        edit = f"{CREATE}/{task_id}/shots/{first['storyboard']['shots'][0]['id']}/edit"
        answer = sandbox.post(edit, json={"prompt": "Rain", "quality": "high"})
        assert (answer.status_code, answer.json()["data"]["status"]) == (202, "editing")
        again = sandbox.until(task_id, "succeeded")
        assert (again["completed_at"], again["output"]) == (first["completed_at"], first["output"])
        assert again["usage"]["credits_charged"] == 60 + 16 * 5
        wait_for(lambda: len(receiver[0].received) == 1, "the one webhook")

    @pytest.mark.parametrize("operation", ["compose", "shots/{shot}/edit"])
    def test_a_task_at_work_is_not_changed(self, start: Start, operation: str) -> None:
        sandbox = start(speed=20.0)
        task_id = sandbox.create("stuck")
        shot = sandbox.until(task_id, "processing")["storyboard"]["shots"][0]["id"]
        body = {"shot_ids": [shot], "prompt": "Rain"}
        refused = sandbox.refused("POST", f"{CREATE}/{task_id}/{operation.format(shot=shot)}", json=body)
        assert refused == (400, "bad_request")
        assert len(sandbox.ledger()["charges"]) == 1
