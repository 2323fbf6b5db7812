"""One destination is dead for a day: nothing is lost, no attempt is burnt, and its neighbour notices nothing."""

import pytest

from connectors.base import Outcome, Retry
from tests.unit.flow.test_deliver import Bench, bench

pytestmark = pytest.mark.anyio
__all__ = ["bench"]

DAY = 86400.0
STEPS = 12
RECIPE = "name: Tell\non: task.failed\nsteps:\n  alive: { use: probe }\n" + "".join(
    f"  dead{number}: {{ use: probe, connection: known }}\n" for number in range(STEPS)
)


@pytest.mark.parametrize("bench", [RECIPE], indirect=True)
async def test_a_day_of_outage_uses_up_nobodys_schedule(bench: Bench) -> None:
    start = bench.clock.now()

    def act() -> Outcome | Retry:
        down = bench.clock.now() < start + DAY and bench.probe.calls[-1][1].connection
        return Retry("it answered 503") if down else Outcome()

    bench.probe.act = act
    await bench.work()
    assert (await bench.rows())["alive"].state == "done", "the neighbour was delayed"
    while bench.clock.now() < start + 2 * DAY:
        due = await bench.journal.deliveries.next_due(bench.clock.now(), 32)
        if due is None:
            break
        bench.clock.advance(max(0.0, due - bench.clock.now()) + 0.001)
        await bench.work()
    rows = await bench.rows()
    assert {row.state for row in rows.values()} == {"done"}, "a delivery is lost"
    assert bench.clock.now() < start + DAY + 700, "it waited on although the destination was back"
    assert max(row.failures for row in rows.values()) <= 2
    assert sum(row.failures for row in rows.values()) <= 2 * STEPS
    probes = len(bench.probe.calls) - 1 - 2 * STEPS
    assert 130 <= probes <= 170, f"{probes} probes in a day of one every ten minutes"
    kinds = [entry.kind for entry in await bench.journal.tasks.history("task_1")]
    assert kinds.count("delivery.probed") >= 130
