"""What connections say of their lanes, what attempts tell of them, and what a change of a connection means for both."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.base import Gone, Outcome, Reject, Retry
from relay.flow.lanes import policy
from relay.flow.why import tell
from relay.journal import Briefing, LanePolicy, LaneRow
from tests.unit.flow.test_deliver import Bench, until

pytestmark = pytest.mark.anyio

RECIPE = """\
name: Tell
on: task.failed
steps:
  a: { use: probe, connection: known }
  b: { use: probe, connection: known }
  c: { use: probe, connection: known }
  other: { use: probe, connection: free }
"""


@pytest.fixture
async def bench(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """``param``: what the connection ``known`` says besides its token."""
    pace: dict[str, str] = getattr(request, "param", {})
    bench = Bench(tmp_path, RECIPE, None, {"known": {"token": "t", **pace}, "free": {"token": "free"}})
    await bench.fail_a_task()
    yield bench
    await bench.client.aclose()
    await bench.journal.close()


async def lane(bench: Bench) -> LaneRow:
    return next(one for one in await bench.journal.lanes.all() if one.name == "known")


def commits(bench: Bench) -> int:
    assert bench.journal._writer is not None
    return bench.journal._writer.commits


async def states(bench: Bench) -> list[str]:
    return [row.state for row in (await bench.rows()).values()]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"max_concurrency": "2"}, LanePolicy(2, 0.0)),
        ({"per_second": "4"}, LanePolicy(8, 0.25)),
        ({"per_minute": "30"}, LanePolicy(8, 2.0)),
        ({"per_second": "4", "per_minute": "30"}, LanePolicy(8, 2.0)),
    ],
)
def test_a_connection_says_how_much_it_bears(said: dict[str, str], meant: LanePolicy) -> None:
    assert policy({"token": "t", **said}) == meant


@pytest.mark.parametrize("bench", [{"max_concurrency": "2"}], indirect=True)
async def test_no_more_are_under_way_than_the_connection_says(bench: Bench) -> None:
    landing = asyncio.Event()

    async def slowly() -> Outcome:
        await landing.wait()
        return Outcome()

    bench.probe.act = slowly
    await bench.deliverer.step()
    await until(lambda: len(bench.probe.calls) == 3)
    assert sorted(delivery.connection["token"] for _, delivery in bench.probe.calls) == ["free", "t", "t"]
    assert sorted(await states(bench)) == ["due", "leased", "leased", "leased"]
    landing.set()
    await bench.deliverer.drain()


@pytest.mark.parametrize("bench", [{"max_concurrency": "1"}], indirect=True)
async def test_what_comes_next_is_claimed_in_the_commit_that_settles(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three deliveries one after the other: each goes as soon as the one before is written down, and no sooner."""
    claims: list[int] = []
    claim = bench.journal.deliveries.claim

    async def counted(*given: Any) -> list[Briefing]:
        claimed = await claim(*given)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(bench.journal.deliveries, "claim", counted)
    before = commits(bench)
    working = asyncio.create_task(bench.deliverer.run())
    await until(lambda: len(bench.probe.calls) == 4)
    await bench.deliverer.stop()
    await working
    assert await states(bench) == ["done"] * 4
    assert [number for number in claims if number] == [2, 1, 1], "one a lane, then one for one"
    assert commits(bench) - before <= 1 + 4 + 1, "the first claim, a commit a settlement, a last look"


@pytest.mark.parametrize("bench", [{"per_minute": "1"}], indirect=True)
async def test_no_more_begin_in_a_time_than_the_connection_says(bench: Bench) -> None:
    begun: list[float] = []
    start = bench.clock.now()
    for _ in range(10):
        before = len(bench.probe.calls)
        await bench.work()
        begun += [bench.clock.now() - start] * (len(bench.probe.calls) - before)
        bench.clock.advance(20)
    assert begun == [0, 0, 60, 120]


async def test_a_wish_to_be_left_alone_holds_the_lane_and_says_why(bench: Bench) -> None:
    def act() -> Outcome | Retry:
        refused = len(bench.probe.calls) <= 4 and bench.probe.calls[-1][1].connection["token"] == "t"
        return Retry("it answered 429", after=600) if refused else Outcome()

    bench.probe.act = act
    await bench.work()
    held = await lane(bench)
    assert (held.standing(bench.clock.now()), held.error) == ("held", "it answered 429")
    assert held.held_until == bench.clock.now() + 600
    assert sorted(await states(bench)) == ["done", "due", "due", "due"]
    bench.clock.advance(601)
    await bench.work()
    assert (await states(bench), (await lane(bench)).error) == (["done"] * 4, None)


@pytest.mark.parametrize("bench", [{"max_concurrency": "1"}], indirect=True)
async def test_why_says_what_keeps_a_delivery_that_was_not_tried_itself(bench: Bench) -> None:
    bench.probe.act = lambda: Retry("it answered 429", after=600)
    await bench.work()
    until, story = (await lane(bench)).held_until, await tell(bench.journal, "task_1")
    assert story is not None
    untried = [moment for moment in story.next if moment.kind == "delivery.try" and not moment.data["attempts"]]
    assert len(untried) == 2
    for moment in untried:
        assert moment.at == until
        assert moment.text.endswith("will be tried; known wished to be left alone until then: it answered 429")


async def test_what_is_gone_parks_what_else_was_to_go_there(bench: Bench) -> None:
    bench.probe.act = lambda: Gone("it answered 410")
    await bench.work()
    held = await lane(bench)
    assert (held.standing(bench.clock.now()), held.reason) == ("paused", "it answered 410")


@pytest.mark.parametrize("failure", [Retry("it answered 401"), Retry("n8n answered 404", after=600.0)])
async def test_what_failed_is_tried_at_once_when_its_connection_is_mended(tmp_path: Path, failure: Retry) -> None:
    bench = Bench(tmp_path, RECIPE.replace("known", "mine"))
    await bench.fail_a_task()
    bench.probe.act = lambda: Outcome() if bench.probe.calls[-1][1].connection["token"] == "right" else failure
    await bench.work()  # there is no such connection yet
    assert bench.probe.calls == []
    for token in ("wrong", "right"):
        await bench.connections.put("mine", "probe", {"token": token})
        await bench.work()
    rows = await bench.rows()
    assert bench.woken == 2
    assert [rows[name].state for name in "abc"] == ["done"] * 3
    assert (rows["a"].failures, rows["other"].state) == (2, "due"), "another connection's delivery was hurried"
    await bench.client.aclose()
    await bench.journal.close()


async def test_an_attempt_ends_with_the_steps_own_time_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "name: Tell\non: task.failed\nsteps:\n  tell: { use: probe, timeout: 0.01 }\n")
    await bench.fail_a_task()
    bench.probe.act = asyncio.Event().wait
    await bench.work()
    row = await bench.row()
    assert (row.state, row.error) == ("due", "it took longer than 0.01 s")
    await bench.client.aclose()
    await bench.journal.close()


async def test_why_says_how_to_send_again_what_was_given_up_until_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "name: Tell\non: task.failed\nsteps:\n  tell: { use: probe }\n")
    await bench.fail_a_task()
    bench.probe.act = lambda: Reject("the token was revoked")
    await bench.work()
    dead = await bench.row()
    story = await tell(bench.journal, "task_1")
    assert story is not None
    (moment,) = [moment for moment in story.next if moment.kind == "delivery.replay"]
    assert f"`beatrelay deliveries replay {dead.id} --yes`" in moment.text
    anew = msgspec.structs.replace(dead, id="dlv_2", state="done", replay=1)
    await bench.journal.deliveries.add([anew], [])
    story = await tell(bench.journal, "task_1")
    assert story is not None
    assert "delivery.replay" not in [moment.kind for moment in story.next]
    await bench.client.aclose()
    await bench.journal.close()
