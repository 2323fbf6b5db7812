"""The submission queue on real sockets: whoever asks is accepted at once, and waits here for a slot and for money."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from relay.cli import main
from tests.integration.conftest import KEY, Line, wait_for

Start = Callable[..., Line]


def usage(line: Line) -> dict[str, object]:
    return line.client.get("/v1/usage").json()["data"]


def top_up(line: Line, credits: int) -> None:
    body = {"balance": credits}
    httpx.post(f"{line.sandbox_url}/sandbox/top-up", json=body, trust_env=False).raise_for_status()


def test_no_balance_pauses_the_queue_and_says_so_until_it_returns(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.flow.govern.CHECK", 0.3)
    line = start(sandbox={"balance": 80})
    first = line.create(row={"title": "1"})
    line.delivered(first)
    second, third = line.create(row={"title": "2"}), line.create(row={"title": "3"})
    for waiting in (second, third):
        (paused,) = line.until(waiting, "queue.paused")
        assert "balance" in paused["reason"]
        assert line.task(waiting)["status"] == "queued"
    queue = usage(line)["queue"]
    assert isinstance(queue, dict)
    assert (queue["waiting"], queue["paused_because"]) == (2, "balance")
    assert line.ledger()["refused"] == {}, "it was known beforehand that the balance does not suffice"
    top_up(line, 200)
    for waiting in (second, third):
        line.delivered(waiting)
        assert line.kinds(waiting).count("queue.paused") == 1
    wait_for(lambda: usage(line)["queue"]["waiting"] == 0, "an empty queue")  # type: ignore[index]
    assert line.ledger()["creates"] == 3


def test_more_than_the_account_allows_waits_for_a_slot_and_no_client_is_refused(start: Start) -> None:
    line = start(sandbox={"concurrency": 2, "speed": 200.0})
    tasks = [line.create(row={"title": str(number)}) for number in range(8)]
    for task_id in tasks:
        line.delivered(task_id)
    ledger = line.ledger()
    assert (ledger["creates"], ledger["peak_concurrency"], ledger["refused"]) == (8, 2, {})
    assert line.client.get("/ready").json()["ready"] is True


def test_what_waits_can_be_cancelled_and_moved(start: Start) -> None:
    line = start(sandbox={"concurrency": 1, "speed": 20.0})
    first = line.create()
    line.until(first, "task.observed")
    waiting = [line.create(row={"title": str(number)}) for number in range(3)]
    environ = {"BEATAPI_API_KEY": KEY}

    def tasks(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["tasks", "--url", line.url, *arguments], env=environ)
        return done.exit_code, done.output

    assert tasks("cancel", waiting[0]) == (0, f"{waiting[0]}: create cancelled\n")
    task = line.task(waiting[0])
    assert (task["status"], task["error_code"], task["usage"]["credits_charged"]) == ("failed", "cancelled", 0)
    assert tasks("prioritise", waiting[2], "9") == (0, f"{waiting[2]}: priority 9\n")
    status, words = tasks("cancel", first)
    assert status == 1
    assert "its create is accepted" in words
    assert line.client.post("/relay/v1/tasks/task_none/cancel").status_code == 404
    assert line.client.post("/relay/v1/tasks/task_none/priority", json={"priority": 1}).status_code == 404
    for task_id in waiting[1:]:
        line.delivered(task_id)
    (second, third) = (line.moments(task_id, "task.observed")[0] for task_id in (waiting[2], waiting[1]))
    theirs = [charge["task_id"] for charge in line.ledger()["charges"]]
    assert theirs[1:] == [second["provider_id"], third["provider_id"]]
    assert line.client.post(f"/relay/v1/tasks/{first}/priority", json={"priority": 1}).status_code == 409
    assert line.client.post(f"/relay/v1/tasks/{first}/priority", json={"priority": 10}).status_code == 400


def test_a_client_says_where_it_goes_in_the_queue(start: Start) -> None:
    line = start(hears=False)
    task_id = line.create(
        **{"x-beatrelay-batch": "spring", "x-beatrelay-tags": "promo, promo,live", "x-beatrelay-priority": "-3"}
    )
    (listed,) = line.client.get("/relay/v1/tasks?batch=spring").json()["data"]["data"]
    assert (listed["id"], listed["batch"], listed["tags"]) == (task_id, "spring", ["promo", "live"])
    assert line.client.get("/relay/v1/tasks?batch=autumn").json()["data"]["data"] == []
    for wrong in ({"x-beatrelay-priority": "10"}, {"x-beatrelay-tags": "a" * 65}, {"x-beatrelay-batch": "b" * 129}):
        answer = line.client.post("/v1/music-video/tasks", json={}, headers=wrong)
        assert answer.status_code == 400


def test_what_came_in_and_what_was_sent_can_be_listed(start: Start) -> None:
    line = start()
    tasks = [line.create() for _ in range(2)]
    for task in tasks:
        line.until(task, "delivery.done")

    def listed(what: str, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = line.client.get(f"/relay/v1/{what}", params=query).json()["data"]["data"]
        return found

    assert {one["task_id"] for one in listed("submissions", state="accepted")} == set(tasks)
    assert listed("submissions", state="queued") == []
    newest, oldest = listed("submissions")
    assert listed("submissions", limit=1, before=newest["id"]) == [oldest]
    receipts = wait_for(lambda: listed("receipts", verdict="accepted") if len(listed("receipts")) > 1 else None, "both")
    assert {one["event"] for one in receipts} == {"task.succeeded"}
    assert all("body" not in one and "whsec_" not in str(one) for one in receipts)
    assert line.client.get("/relay/v1/receipts", params={"verdict": "odd"}).status_code == 400
