"""A burst for one channel goes out one message a second, and uses up nobody's attempts."""

from pathlib import Path

import pytest

from connectors.base import Wait
from connectors.slack import Slack
from connectors.slack.pace import LATE, Pace
from tests.fakes.slack import FakeSlack
from tests.servers import running
from tests.unit.flow.test_deliver import Bench

pytestmark = pytest.mark.anyio
MANY = 40
STEP = "  {name}: {{ use: slack, connection: team, with: {{ channel: '{channel}', text: {name}, message: new }} }}\n"
RECIPE = (
    "name: Burst\non: task.failed\nsteps:\n"
    + "".join(STEP.format(name=f"m{number}", channel="C0RELEASES") for number in range(MANY))
    + STEP.format(name="elsewhere", channel="C0SMALL")
)


async def test_a_burst_is_paced_and_nothing_is_burnt(tmp_path: Path) -> None:
    fake = FakeSlack()
    fake.channels["C0SMALL"] = {"name": "small", "member": True}
    with running(fake) as url:
        connections = {"team": {"token": "xoxb-test", "api_url": f"{url}/api"}}
        bench = Bench(tmp_path, RECIPE, {"slack": Slack()}, connections)
        fake.clock = bench.clock.now
        start = bench.clock.now()
        await bench.fail_a_task()
        while (due := await bench.journal.deliveries.next_due(bench.clock.now(), 32)) is not None:
            bench.clock.advance(max(0.0, due - bench.clock.now()))
            await bench.work()
        rows = await bench.rows()
        await bench.client.aclose()
        await bench.journal.close()
    assert {(row.state, row.failures, row.attempts) for row in rows.values()} == {("done", 0, 1)}
    assert "429" not in fake.calls
    assert len(fake.messages) == MANY + 1
    assert MANY - 2 <= bench.clock.now() - start <= MANY + 2
    assert rows["elsewhere"].updated_at - start < 2, "another channel waited too"


def take(pace: Pace, key: str, at: int, channel: str = "C1") -> float:
    try:
        pace.take(("xoxb-1", channel), key, at)
    except Wait as error:
        return error.after
    return 0.0


def test_each_waits_once_for_its_own_turn() -> None:
    pace = Pace()
    assert [take(pace, key, 100) for key in "abcd"] == [0, 1, 2, 3]
    assert [take(pace, "c", 101), take(pace, "b", 101), take(pace, "c", 102)] == [1, 0, 0]
    assert [take(pace, "e", 102), take(pace, "x", 102, "C2")] == [2, 0]


def test_who_misses_a_turn_gets_another() -> None:
    pace = Pace()
    assert [take(pace, key, 100) for key in "abc"] == [0, 1, 2]
    late = 102 + LATE + 1
    assert [take(pace, "b", late), take(pace, "c", late)] == [0, 1], "both at once would be too many"
