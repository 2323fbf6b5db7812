"""The whole line, thousands of hours in minutes: whatever the seed brings, the three promises hold."""

import asyncio
import gc
import json
import os
import random

import pytest

from tests.simulation.world import COST, Life, Outside, new_database
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "60"))
"""How many runs; a failure names its seed, and the same seed fails the same way."""
SONGS = 4
STORMY, CALM = 3600.0, 120 * 3600.0
"""Seconds of trouble, and then of peace in which everything must come to its end."""


async def settle() -> None:
    """Let everything run that can run without time going on."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    while loop._ready:
        await asyncio.sleep(0)


async def run(seed: int, *, limit: int = 100, videos: int = 10**4) -> Outside:
    """One run; ``limit`` is how many tasks the provider lets run at once, ``videos`` how many the balance pays for
    until the trouble ends."""
    chance = random.Random(seed)
    clock = VirtualClock(seed)
    outside = Outside(random.Random(seed + 1), clock, honours_keys=chance.random() < 0.5)
    outside.limit, outside.balance = limit, videos * COST
    connection = new_database()
    life = Life(connection, outside)
    wanted: list[str] = []
    start = clock.now()
    kills = sorted(start + chance.uniform(0, STORMY) for _ in range(chance.randint(0, 6)))
    asks = sorted(start + chance.uniform(0, STORMY / 4) for _ in range(SONGS))
    while clock.now() < start + STORMY + CALM:
        if clock.now() > start + STORMY and not outside.calm:
            outside.calm = True
            outside.balance += SONGS * COST
        await settle()
        outside.advance()
        while asks and asks[0] <= clock.now():
            asks.pop(0)
            wanted.append((await life.intake.accept("music-video", "{}")).id)
        for due in [webhook for webhook in outside.webhooks if webhook[0] <= clock.now()]:
            outside.webhooks.remove(due)
            await life.inbox.receive({"sent": due[1]}, due[2].encode())
        if kills and kills[0] <= clock.now():
            kills.pop(0)
            await life.kill()
            clock.advance(chance.uniform(0, 120))
            life = Life(connection, outside)
        await settle()
        events = [*kills[:1], *asks[:1], *(when for when, _, _ in outside.webhooks)]
        events += [task.ends[0][0] for task in outside.tasks.values() if task.ends]
        nap = clock.until_next()
        steps = [when - clock.now() for when in events if when > clock.now()] + ([nap] if nap is not None else [])
        clock.advance(max(min(steps, default=1.0), 1e-6))
        if not events and outside.calm and finished(connection):
            break
    await check(life, outside, wanted)
    await life.kill()
    connection.close()
    return outside


def finished(connection: object) -> bool:
    left = connection.execute(  # type: ignore[attr-defined]
        "SELECT (SELECT count(*) FROM deliveries WHERE state NOT IN ('done', 'dead'))"
        " + (SELECT count(*) FROM operations WHERE state IN ('queued', 'sending'))"
        " + (SELECT count(*) FROM tasks WHERE next_poll_at IS NOT NULL)"
    ).fetchone()
    return left[0] == 0


async def check(life: Life, outside: Outside, wanted: list[str]) -> None:
    tasks = life.journal.tasks
    held = {operation.task_id for operation in await tasks.unconfirmed()}
    assert len(set(outside.creates)) == len(outside.creates), "a credit was spent twice"
    told: set[str] = set()
    for task_id in wanted:
        task = await tasks.get(task_id)
        assert task is not None, "an accepted request is gone"
        if task_id in held:
            assert not outside.honours_keys, "held although a repeat would have been free"
            continue
        assert task.provider_id is not None, f"{task_id} was never sent"
        theirs = outside.tasks[task.provider_id]
        assert (task.status, task.confirmed) == (theirs.status, True), "the truth was missed"
        finishes = await tasks.finishes(task_id)
        files = [json.loads(finish.observed)["output"] for finish in finishes]
        assert len({json.dumps(one) for one in files}) == len(files), "one video was counted twice"
        last = json.loads(finishes[-1].observed)
        assert last["status"] == theirs.status, "the last finish is not the truth"
        if theirs.status == "succeeded":
            assert last["output"]["media"][0]["url"] == theirs.file, "the last video was missed"
        for finish in finishes:
            told |= {f"{task_id} {finish.revision} first", f"{task_id} {finish.revision} second there"}
        states = {row.state for row in await life.journal.deliveries.of_task(task_id)}
        assert states == {"done"}, "a delivery is neither done nor told of"
    assert set(outside.effects) == told, "a delivery is lost, or one came that nobody planned"
    assert all(len(keys) == 1 for keys in outside.effects.values()), "a repeat came under another id"
    assert outside.most_polls <= 120, f"{outside.most_polls} polls in a minute"


@pytest.mark.parametrize("block", range(6))
async def test_whatever_the_seed_brings_the_promises_hold(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.flow.loop.IDLE", 600.0)  # looks every 5 s would be most of what five quiet days cost
    for seed in range(block, SEEDS, 6):
        try:
            await asyncio.wait_for(run(seed), 120)
        except (AssertionError, LookupError) as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    gc.collect()


@pytest.mark.parametrize("block", range(2))
async def test_a_small_account_is_never_overrun_and_no_song_is_lost(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One or two slots, and the balance ends before the last song does: what is missing is sent when it returns."""
    monkeypatch.setattr("relay.flow.loop.IDLE", 600.0)
    for seed in range(block, max(2, SEEDS // 3), 2):
        limit = 1 + seed // 2 % 2
        try:
            outside = await asyncio.wait_for(run(seed, limit=limit, videos=SONGS - 1), 120)
            assert outside.peak <= limit, "more ran than the account allows"
            assert outside.refused == 0, "more was sent than the account has slots for"
        except (AssertionError, LookupError) as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    gc.collect()
