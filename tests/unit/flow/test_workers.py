"""How many attempts there are at once, and that a place that is free is seen at once, in virtual time."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Outcome, Wait
from relay.journal import Briefing, Settlement, Unavailable
from relay.settings import Settings
from tests.unit.flow.test_deliver import Bench, until

pytestmark = pytest.mark.anyio

RECIPE = """\
name: Tell
on: task.failed
steps:
  a: { use: probe, connection: known }
  b: { use: probe, connection: other }
  c: { use: probe, connection: third }
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Three deliveries on three lanes, and one worker for them."""
    bench = Bench(tmp_path, RECIPE, None, {"other": {"token": "o"}, "third": {"token": "3"}})
    bench.deliverer._settings = Settings(workers=1)
    await bench.fail_a_task()
    yield bench
    await bench.client.aclose()
    await bench.journal.close()


async def states(bench: Bench) -> list[str]:
    return [row.state for row in (await bench.rows()).values()]


async def test_what_is_due_soon_is_not_slept_through(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last attempt is written down in the commit in which nothing more is found: its worker is free already."""
    gate, naps, looked = threading.Event(), list[float](), list[int]()
    claim, nap = bench.journal.deliveries.claim, bench.deliverer.until

    async def counted(*given: Any) -> list[Briefing]:
        if len(bench.probe.calls) == 3:
            asyncio.get_running_loop().call_soon(gate.set)
        claimed = await claim(*given)
        looked.append(len(claimed))
        return claimed

    def remembered(due: float | None) -> float:
        naps.append(nap(due))
        return naps[-1]

    async def wait() -> Outcome:
        if len(bench.probe.calls) == 3:
            held.append(asyncio.ensure_future(bench.journal.write(lambda _: gate.wait(10))))
            await asyncio.sleep(0)
        raise Wait("others go first", after=3.0)

    held: list[asyncio.Future[bool]] = []
    bench.probe.act = wait
    monkeypatch.setattr(bench.journal.deliveries, "claim", counted)
    monkeypatch.setattr(bench.deliverer, "until", remembered)
    working = asyncio.create_task(bench.deliverer.run())
    await until(lambda: bool(naps))
    assert (looked, naps) == ([1, 1, 1, 0], [3.0])
    await bench.deliverer.stop()
    await working
    await asyncio.gather(*held)


async def test_what_cannot_be_written_down_keeps_its_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is not written down is sent again after a crash: it must not become more and more."""
    tried: list[str] = []
    settle = bench.journal.deliveries.settle

    async def unwritable(settlement: Settlement) -> bool:
        tried.append(settlement.delivery.id)
        await bench.journal.write(lambda _: None)  # a claim has room: it asks for less
        raise Unavailable("the disk is full")

    monkeypatch.setattr(bench.journal.deliveries, "settle", unwritable)
    working = asyncio.create_task(bench.deliverer.run())
    async with asyncio.timeout(10):
        while len(tried) < 10:
            bench.clock.advance(1.0)
            await asyncio.sleep(0)
    assert len(bench.probe.calls) <= 2, "one that is not written down, and the one that was begun meanwhile"
    monkeypatch.setattr(bench.journal.deliveries, "settle", settle)
    async with asyncio.timeout(10):
        while await states(bench) != ["done"] * 3:
            bench.clock.advance(1.0)
    assert len(bench.probe.calls) == 3
    await bench.deliverer.stop()
    await working


async def test_an_attempt_that_is_broken_off_leaves_its_worker_to_the_next(bench: Bench) -> None:
    def act() -> Outcome:
        if len(bench.probe.calls) == 1:
            raise asyncio.CancelledError
        return Outcome()

    bench.probe.act = act
    working = asyncio.create_task(bench.deliverer.run())
    await until(lambda: len(bench.probe.calls) == 3)
    await bench.deliverer.stop()
    await working
    assert sorted(await states(bench)) == ["done", "done", "leased"], "it is due again when its lease ends"


async def test_what_is_handed_out_while_the_relay_stops_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would begin after all others had ended, and be broken off in the middle."""
    gate, claim, asked = threading.Event(), bench.journal.deliveries.claim, asyncio.Event()

    async def seen(*given: Any) -> list[Briefing]:
        asyncio.get_running_loop().call_soon(asked.set)
        return await claim(*given)

    monkeypatch.setattr(bench.journal.deliveries, "claim", seen)
    held = asyncio.ensure_future(bench.journal.write(lambda _: gate.wait(10)))
    working = asyncio.create_task(bench.deliverer.run())
    await asked.wait()
    asyncio.get_running_loop().call_soon(gate.set)
    await bench.deliverer.stop()
    assert sorted(await states(bench)) == ["done", "due", "due"]
    await asyncio.gather(held, working)
