"""When webhooks are sent, in virtual time: the documented windows, and the faults that bend them."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from relay.contract import WebhookEndpoint
from relay.sandbox.faults import Dice, Faults, task_faults
from relay.sandbox.settings import SandboxSettings
from relay.sandbox.task import SandboxTask
from relay.sandbox.webhooks import WebhookSender, sign
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio
SECRET = "whsec_of_the_test"


class Wire:
    """A sender, and what leaves it: when, and what."""

    def __init__(self, statuses: list[int] | None = None, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.start = self.clock.now()
        self.sent: list[tuple[float, httpx.Request]] = []
        self._statuses = statuses or []
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        known = SandboxSettings(**settings)
        self.sender = WebhookSender(known, self.clock, Dice(known.seed), client)
        self.endpoint = WebhookEndpoint("wh_1", "https://hooks.example.com/x", SECRET, 0, 0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((self.clock.now() - self.start, request))
        return httpx.Response(self._statuses.pop(0) if self._statuses else 204)

    def task(self, name: str = "task_1", faults: str = "") -> SandboxTask:
        return SandboxTask(name, "music-video", {}, 0, "req_1", task_faults(faults), status="succeeded")

    def announce(self, task: SandboxTask, event: str = "task.succeeded") -> Coroutine[Any, Any, None]:
        return self.sender.announce(task, event, [self.endpoint])

    async def play(self, *works: Coroutine[Any, Any, Any]) -> None:
        """Let time pass until all of ``works`` are done."""
        running = asyncio.gather(*works)
        while not running.done():
            for _ in range(50):  # whoever is awake has its turn
                await asyncio.sleep(0)
            wait = self.clock.until_next()
            if wait is not None:
                self.clock.advance(wait)
        await running

    @property
    def times(self) -> list[float]:
        return [round(at, 3) for at, _ in self.sent]

    @property
    def tasks(self) -> list[str]:
        return [json.loads(request.content)["data"]["id"] for _, request in self.sent]


@pytest.mark.parametrize(
    ("contract", "speed", "times"),
    [
        ("launch", 1.0, [0, 60, 360, 1260]),
        ("current", 1.0, [0, 60, 360]),
        ("launch", 20.0, [0, 3, 18, 63]),
    ],
)
async def test_retries_come_in_their_windows_and_then_never_again(
    contract: Any, speed: float, times: list[float]
) -> None:
    wire = Wire([500] * 10, contract=contract, speed=speed)
    await wire.play(wire.announce(wire.task()))
    assert wire.times == times
    assert [attempt.attempt for attempt in wire.sender.attempts] == list(range(1, len(times) + 1))


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_2xx_is_an_end(status: int) -> None:
    wire = Wire([503, status])
    await wire.play(wire.announce(wire.task()))
    assert wire.times == [0, 60]


@pytest.mark.parametrize("status", [301, 307, 400, 410])
async def test_a_redirect_is_not_followed_and_no_answer_but_2xx_counts(status: int) -> None:
    wire = Wire([status, 200])
    await wire.play(wire.announce(wire.task()))
    assert wire.times == [0, 60]


@pytest.mark.parametrize(("resign", "ages"), [(True, [0, 60, 360]), (False, [0, 0, 0])])
async def test_a_retry_is_signed_afresh_or_as_the_first_time(resign: bool, ages: list[int]) -> None:
    wire = Wire([500] * 3, contract="current", resign=resign)
    await wire.play(wire.announce(wire.task()))
    stamps = [int(request.headers["x-beatapi-timestamp"]) for _, request in wire.sent]
    assert [stamp - int(wire.start) for stamp in stamps] == ages
    for stamp, (_, request) in zip(stamps, wire.sent, strict=True):
        assert request.headers["x-beatapi-signature"] == sign(SECRET, stamp, request.content)
        assert request.headers["user-agent"].startswith("beatrelay-sandbox/")
    assert len({request.content for _, request in wire.sent}) == 1


async def test_only_active_endpoints_that_want_the_event_hear_it() -> None:
    wire = Wire()
    wire.endpoint.events = ["task.failed"]
    await wire.play(wire.announce(wire.task()))
    wire.endpoint.events, wire.endpoint.status = ["task.succeeded"], "disabled"
    await wire.play(wire.announce(wire.task()))
    assert wire.sent == []


async def test_a_late_webhook_is_late_at_the_pace_of_the_sandbox() -> None:
    wire = Wire(speed=2.0)
    await wire.play(wire.announce(wire.task(faults="late-webhook=90")))
    assert wire.times == [45]


async def test_a_stale_one_is_signed_ten_minutes_ago() -> None:
    wire = Wire()
    await wire.play(wire.announce(wire.task(faults="stale-webhook")))
    assert int(wire.sent[0][1].headers["x-beatapi-timestamp"]) == int(wire.start) - 600


async def test_a_duplicate_has_the_same_id() -> None:
    wire = Wire(faults=Faults(duplicate_webhooks=True))
    await wire.play(wire.announce(wire.task()))
    first, second = (json.loads(request.content)["id"] for _, request in wire.sent)
    assert first == second


async def test_about_the_wanted_share_is_dropped_and_the_same_ones_for_a_seed() -> None:
    async def dropped(seed: int) -> list[bool]:
        wire = Wire(seed=seed, faults=Faults(drop_webhooks=0.3))
        for number in range(200):
            await wire.play(wire.announce(wire.task(f"task_{number}")))
        return [attempt.dropped for attempt in wire.sender.attempts]

    first, again, other = await dropped(1), await dropped(1), await dropped(2)
    assert first == again != other
    assert 40 <= sum(first) <= 80


async def test_reordered_webhooks_arrive_after_those_that_were_sent_later() -> None:
    wire = Wire(faults=Faults(reorder=True))
    await wire.play(*(wire.announce(wire.task(f"task_{number}")) for number in (1, 2, 3, 4)))
    assert sorted(wire.tasks) == ["task_1", "task_2", "task_3", "task_4"]
    assert wire.tasks.index("task_2") < wire.tasks.index("task_1")
    assert wire.tasks.index("task_4") < wire.tasks.index("task_3")


async def test_a_webhook_that_nobody_overtakes_goes_after_five_seconds() -> None:
    wire = Wire(faults=Faults(reorder=True))
    await wire.play(wire.announce(wire.task("task_1")))
    await wire.play(wire.announce(wire.task("task_2")))
    assert wire.times == [5, 10]
