"""Two hundred rows against a small account, a short balance, lost answers and server errors: each is paid once."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from relay.sandbox.faults import Faults
from tests.integration.conftest import Line, wait_for

Start = Callable[..., Line]
ROWS, SECONDS = 200, 10
COST = 15 * SECONDS
DOLLARS = ROWS * COST * Decimal("0.02")
REQUEST = {"images": ["https://media.example.com/cover.png"], "duration": SECONDS}


@pytest.fixture
def quick(start: Start, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Line]:
    """A line in a hurry: two slots, eight credits short, one answer in ten lost, one request in twenty refused."""
    monkeypatch.setattr("relay.flow.govern.CHECK", 0.5)
    monkeypatch.setattr("relay.flow.intake.BACKOFF_FIRST", 0.05)

    async def known(*_: object) -> list[str]:
        return ["93.184.216.34"]

    monkeypatch.setattr("relay.flow.inputs.Inputs._addresses", known)

    def starting(**sandbox: Any) -> Line:
        faults = Faults(
            lost_answers=0.1, error_rate=0.05, error_paths=["/v1/ecommerce-video/tasks", "/v1/tasks/", "/v1/usage"]
        )
        options = {"speed": 2000.0, "concurrency": 2, "balance": ROWS * COST - 8, "faults": faults, **sandbox}
        return start("", sandbox=options)

    return starting


def submit(line: Line) -> list[str]:
    tasks: list[str] = []
    for number in range(ROWS):
        headers = {"idempotency-key": f"row-{number}", "x-beatrelay-batch": f"sheet-{number % 3}"}
        answer = line.client.post("/v1/ecommerce-video/tasks", json=REQUEST, headers=headers)
        assert answer.status_code == 201, answer.text
        tasks.append(answer.json()["data"]["id"])
    return tasks


def queue(line: Line) -> dict[str, Any]:
    answer = line.client.get("/v1/usage")
    found: dict[str, Any] = answer.json()["data"]["queue"] if answer.status_code == 200 else {}
    return found


def states(line: Line, tasks: list[str]) -> Counter[str]:
    answers = [line.client.get(f"/v1/tasks/{task_id}") for task_id in tasks]
    assert {answer.status_code for answer in answers} == {200}, "no client is ever refused"
    return Counter(answer.json()["data"]["status"] for answer in answers)


def top_up(line: Line, credits: int) -> None:
    httpx.post(f"{line.sandbox_url}/sandbox/top-up", json={"balance": credits}, trust_env=False).raise_for_status()


def test_two_hundred_rows_are_paid_once_each(quick: Callable[..., Line]) -> None:
    line = quick(contract="current")
    tasks = submit(line)
    wait_for(lambda: queue(line).get("paused_because") == "balance", "the balance to run out", 80)
    assert len(line.ledger()["charges"]) == ROWS - 1
    top_up(line, 8)
    wait_for(lambda: states(line, tasks) == {"succeeded": ROWS}, "all videos", 40)
    ledger = line.ledger()
    charged = Counter(charge["task_id"] for charge in ledger["charges"])
    assert (len(charged), max(charged.values()), ledger["creates"]) == (ROWS, 1, ROWS)
    assert ledger["peak_concurrency"] == 2
    assert ledger["refused"].get("user_concurrency_exceeded", 0) == 0
    by_batch = line.client.get("/relay/v1/ledger?by=batch").json()["data"]["data"]
    assert {one["name"]: one["tasks"] for one in by_batch} == {"sheet-0": 67, "sheet-1": 67, "sheet-2": 66}
    assert sum(Decimal(str(one["settled"])) for one in by_batch) == DOLLARS
    assert {one["unit"] for one in by_batch} == {"usd"}
    line.faults()
    report = line.client.get("/relay/v1/reconciliation").json()["data"]
    assert (report["agrees"], report["relay"]["tasks"], report["relay"]["settled"]) == (True, ROWS, DOLLARS)


def test_where_keys_are_ignored_nothing_is_paid_twice(quick: Callable[..., Line]) -> None:
    line = quick(honour_idempotency=False)
    tasks = submit(line)

    def at_rest() -> bool:
        now = queue(line)
        return now.get("paused_because") == "balance" or (now.get("waiting") == 0 and now.get("running") == 0)

    wait_for(at_rest, "the queue to come to rest", 80)
    top_up(line, 8 + ROWS * COST // 10)
    wait_for(lambda: queue(line).get("waiting") == 0, "an empty queue", 40)
    line.faults()
    asked = settle_the_rest(line, tasks)
    wait_for(lambda: states(line, tasks) == {"succeeded": ROWS}, "all videos", 60)
    ledger = line.ledger()
    charged = Counter(charge["task_id"] for charge in ledger["charges"])
    assert (len(charged), max(charged.values()), ledger["creates"]) == (ROWS, 1, ROWS), "no credit was spent twice"
    assert ledger["peak_concurrency"] == 2
    assert ledger["refused"].get("user_concurrency_exceeded", 0) == 0
    assert asked > 0, "lost answers were listed for a person"
    alone = one_more_with_its_answer_lost(line)
    assert line.moments(alone, "operation.adopted"), "with no other in question, its webhook leaves no doubt"
    assert line.ledger()["creates"] == ROWS + 1


def one_more_with_its_answer_lost(line: Line) -> str:
    line.faults(lost_answers=1.0)
    answer = line.client.post("/v1/ecommerce-video/tasks", json=REQUEST)
    task_id: str = answer.json()["data"]["id"]
    line.until(task_id, "operation.unconfirmed")
    line.faults()
    wait_for(lambda: line.task(task_id)["status"] == "succeeded", "the adopted video")
    return task_id


def settle_the_rest(line: Line, tasks: list[str]) -> int:
    """What no webhook has told apart, a person settles by the sandbox's own books: adopt what it has, send again what
    it never took. Gives how many had to be."""
    ours = {line.story(task_id)["provider_id"] for task_id in tasks}
    unclaimed = [charge["task_id"] for charge in line.ledger()["charges"] if charge["task_id"] not in ours]
    questions = line.client.get("/relay/v1/unconfirmed").json()["data"]["data"]
    for question in questions:
        body = {"decision": "adopt", "provider_id": unclaimed.pop()} if unclaimed else {"decision": "resubmit"}
        answer = line.client.post(f"/relay/v1/tasks/{question['task_id']}/settle", json=body)
        assert answer.status_code == 200, answer.text
    assert unclaimed == []
    return len(questions)


def test_a_batch_is_priced_before_it_is_sent(start: Start) -> None:
    line = start("", sandbox={"balance": 400})
    song = {"audio_url": "https://media.example.com/a.mp3", "images": REQUEST["images"], "prompt": "x"}
    body = {
        "requests": [
            {"workflow": "ecommerce-video", "request": REQUEST},
            {"workflow": "music-video", "request": {**song, "duration": 20}},
            {"workflow": "images", "request": {"prompt": "x"}},
        ]
    }
    quote = line.client.post("/relay/v1/estimates", json=body).json()["data"]
    assert [item["least"] for item in quote["items"]] == [150, 50, None]
    assert [item["likely"] for item in quote["items"]] == [150, 100, None]
    assert (quote["least"], quote["most"], quote["unknown"]) == (200, 1050, 1)
    assert (quote["balance"], quote["enough"], quote["concurrency"], quote["unit"]) == (400, "perhaps", 5, "credits")
    wrong = {"requests": [{"workflow": "ecommerce-video", "request": {"images": [], "duration": 5}}]}
    refused = line.client.post("/relay/v1/estimates", json=wrong)
    assert refused.status_code == 400
    assert [one["field"] for one in refused.json()["error"]["details"]] == [
        "requests[0].images",
        "requests[0].duration",
    ]
    for nothing in ({}, {"workflow": "images"}, {**body, "workflow": "images"}):
        assert line.client.post("/relay/v1/estimates", json=nothing).status_code == 400
    assert line.ledger()["creates"] == 0
    assert line.client.get("/relay/v1/ledger?from=yesterday").status_code == 400
    assert json.loads(line.client.get("/relay/v1/ledger?by=day&to=2026-01-01").content)["data"]["data"] == []
