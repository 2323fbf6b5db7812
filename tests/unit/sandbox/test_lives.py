"""How long tasks live and what becomes of them, in virtual time."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from relay.sandbox.account import SandboxAccount
from relay.sandbox.errors import Refusal
from relay.sandbox.faults import Faults, task_faults
from relay.sandbox.life import shot_lengths
from relay.sandbox.pricing import edit_credits
from relay.sandbox.settings import SandboxSettings
from relay.sandbox.task import SandboxTask
from relay.sandbox.world import World
from tests.virtual import VirtualClock

KEY = "sk_virtual_key"
REQUEST: dict[str, Any] = {"images": ["https://x.example/a.png"], "audio_url": "https://x.example/a.mp3"}


class Play:
    """A world in virtual time, and the statuses its tasks showed: ``(seconds since the start, status)``."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.start = self.clock.now()
        self.world = World(SandboxSettings(**{"concurrency": 1000, "balance": 10**6, **settings}), self.clock)
        self.account: SandboxAccount = self.world.account(f"Bearer {KEY}")
        self.seen: dict[str, list[tuple[float, str]]] = {}

    def create(self, faults: str = "", **change: Any) -> SandboxTask:
        return self.world.create(self.account, "music-video", {**REQUEST, **change}, task_faults(faults), "req_1")

    async def until(self, done: Callable[[], bool], limit: float = 10_000) -> None:
        """Let time pass until ``done``, nothing is left to happen, or ``limit`` seconds have passed."""
        await self._settle()
        while not done():
            wait = self.clock.until_next()
            if wait is None or self.clock.now() + wait - self.start > limit:
                return
            self.clock.advance(wait)
            await self._settle()

    async def _settle(self) -> None:
        for _ in range(20):  # whoever is awake has its turn
            await asyncio.sleep(0)
        current = self.world.settings.contract == "current"
        for task in self.account.tasks.values():
            story = self.seen.setdefault(task.id, [])
            status = task.show(current=current).status
            if not story or story[-1][1] != status:
                story.append((self.clock.now() - self.start, status))

    def statuses(self, task: SandboxTask) -> list[str]:
        return [status for _, status in self.seen[task.id]]


async def played(*tasks: tuple[str, dict[str, Any]], **settings: Any) -> tuple[Play, list[SandboxTask]]:
    """A play to its end: each task given by its faults and changes of its request."""
    play = Play(**settings)
    made = [play.create(faults, **change) for faults, change in tasks]
    await play.until(lambda: False)
    await play.world.end()
    return play, made


def lifetimes(play: Play, task: SandboxTask) -> list[float]:
    return [later - earlier for (earlier, _), (later, _) in pairwise(play.seen[task.id])]


@pytest.mark.anyio
@pytest.mark.parametrize("speed", [1.0, 20.0])
async def test_a_task_is_queued_for_seconds_and_processed_for_about_a_minute(speed: float) -> None:
    play, tasks = await played(*[("", {})] * 50, speed=speed)
    for task in tasks:
        assert play.statuses(task) == ["queued", "processing", "succeeded"]
        queued, processing = (seconds * speed for seconds in lifetimes(play, task))
        assert 2 <= queued <= 6
        assert 40 <= processing <= 90


@pytest.mark.anyio
async def test_a_lifetime_repeats_from_its_seed_whatever_the_others_do() -> None:
    play, tasks = await played(("", {}), ("", {}), ("stuck", {}), ("", {}), seed=7)
    again, more = await played(("", {}), ("fail", {}), ("", {"compose_mode": "manual"}), ("", {}), seed=7)
    other, others = await played(*[("", {})] * 4, seed=8)
    assert lifetimes(play, tasks[3]) == lifetimes(again, more[3]) != lifetimes(other, others[3])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("faults", "statuses"),
    [
        ("fail", ["queued", "processing", "failed"]),
        ("timeout", ["queued", "processing", "failed"]),
        ("stuck", ["queued", "processing"]),
        ("backwards", ["queued", "processing", "queued", "processing", "succeeded"]),
        ("unknown-status", ["queued", "polishing", "succeeded"]),
        ("unknown-status,fail", ["queued", "polishing", "failed"]),
    ],
)
async def test_faults_bend_a_life(faults: str, statuses: list[str]) -> None:
    play, (task,) = await played((faults, {}))
    assert play.statuses(task) == statuses
    if faults == "timeout":
        assert lifetimes(play, task)[1] == pytest.approx(600)
        assert task.error_code == "processing_timeout"


@pytest.mark.anyio
@pytest.mark.parametrize("faults", ["", "unknown-status", "backwards"])
async def test_manual_mode_always_stops_at_the_storyboard(faults: str) -> None:
    play, (task,) = await played((faults, {"compose_mode": "manual"}))
    assert play.statuses(task)[-1] == "storyboard_ready"
    assert {shot.status for shot in task.shots} == {"succeeded"}


@pytest.mark.anyio
async def test_tasks_fail_at_the_wanted_rate_in_both_ways_and_cost_nothing() -> None:
    play, tasks = await played(*[("", {})] * 200, faults=Faults(fail_rate=0.3))
    failed = [task for task in tasks if task.status == "failed"]
    assert 40 <= len(failed) <= 80
    assert {task.error_code for task in failed} == {"processing_failed", "processing_timeout"}
    assert play.account.balance == 10**6 - 75 * (200 - len(failed))
    ledger = play.world.ledger(play.account)
    assert sum(charge["credits"] for charge in ledger.charges) == 75 * (200 - len(failed))
    assert (ledger.creates, ledger.peak_concurrency) == (200, 200)


@pytest.mark.anyio
async def test_shots_appear_with_the_processing() -> None:
    play = Play()
    task = play.create(duration=17)
    assert task.show(current=False).storyboard.shots == []  # type: ignore[union-attr]  # a music video has one
    await play.until(lambda: task.status == "processing")
    assert [shot.duration_seconds for shot in task.shots] == [5, 5, 7]
    await play.world.end()


def test_shots_cover_the_whole_song() -> None:
    for seconds in range(1, 181):
        assert sum(shot_lengths(seconds)) == seconds
        assert max(shot_lengths(seconds)) < 10


@pytest.mark.parametrize(
    ("contract", "asked", "credits"),
    [
        ("launch", {"prompt": "x"}, 5 * 5),
        ("launch", {"prompt": "x", "duration": 7, "resolution": "1080p"}, 6 * 7),
        ("launch", {"prompt": "x", "quality": "high"}, 16 * 5),
        ("current", {"prompt": "x"}, (4 + 0) * 9),
    ],
)
def test_an_edit_costs_as_it_asks_or_as_the_task_was_made(contract: Any, asked: dict[str, Any], credits: int) -> None:
    assert edit_credits(contract, {"resolution": "540p"}, asked, 9) == credits


@pytest.mark.parametrize("limit", [1, 3, 120])
def test_whoever_waits_as_told_may_poll_again(limit: int) -> None:
    clock = VirtualClock()
    account = SandboxAccount(SandboxSettings(poll_limit=limit), clock)
    for _ in range(limit):
        account.count_poll()
        clock.advance(0.1)
    with pytest.raises(Refusal) as caught:
        account.count_poll()
    assert caught.value.body.code == "rate_limit_exceeded"
    clock.advance(float(caught.value.headers["retry-after"]))
    account.count_poll()


def test_current_usage_is_a_superset_and_tells_no_key() -> None:
    account = SandboxAccount(SandboxSettings(contract="current"), VirtualClock(), KEY)
    usage = account.usage()
    assert usage.period == "all"
    assert {"by_capability", "by_model", "by_api_key"} <= set(usage.__struct_fields__)
    assert KEY not in str(usage)
    launch = SandboxAccount(SandboxSettings(), VirtualClock(), KEY).usage()
    assert "by_api_key" not in launch.__struct_fields__
