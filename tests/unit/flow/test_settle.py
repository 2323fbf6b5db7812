"""One decision on many operations that nobody knows the fate of: counted first, and only on those that still are."""

import pytest
from msgspec.structs import replace

from relay.flow.intake import Origin
from relay.flow.settle import Settler
from relay.journal import Change

from .test_intake import Desk, desk

__all__ = ["desk"]  # a fixture
pytestmark = pytest.mark.anyio
COPY, LOST = "restored from a copy: it may have been sent since", "the answer was lost"


def settler(desk: Desk) -> Settler:
    return Settler(desk.journal, desk.clock, desk.provider, desk.observer, timeout=20.0)


async def held(desk: Desk, *reasons: str) -> list[str]:
    return [await desk.accept(origin=Origin(doubt=reason)) for reason in reasons]


async def states(desk: Desk, tasks: list[str]) -> list[str]:
    return [(await desk.operation(task)).state for task in tasks]


async def test_it_is_counted_first(desk: Desk) -> None:
    tasks = await held(desk, COPY, COPY, LOST)
    told = await settler(desk).settle_many("abandon", [], "RESTORED", run=False)
    assert (told.count, told.by_kind, told.done, told.skipped) == (2, {"create": 2}, False, 0)
    assert await states(desk, tasks) == ["unconfirmed"] * 3


async def test_what_fits_is_given_up_and_the_rest_left_alone(desk: Desk) -> None:
    tasks = await held(desk, COPY, COPY, LOST)
    assert (await settler(desk).settle_many("abandon", [], COPY, run=True)).count == 2
    assert await states(desk, tasks) == ["abandoned", "abandoned", "unconfirmed"]
    assert (await desk.task(tasks[0])).status == "failed"
    assert desk.provider.sent == []


async def test_what_is_named_is_sent_again_once(desk: Desk) -> None:
    tasks = await held(desk, COPY, COPY, LOST)
    told = await settler(desk).settle_many("resubmit", [tasks[0], tasks[2]], "", run=True)
    assert (told.count, await states(desk, tasks)) == (2, ["queued", "unconfirmed", "queued"])
    for _ in range(4):
        await desk.turn()
    assert len(desk.provider.sent) == 2
    assert (await settler(desk).settle_many("resubmit", tasks, LOST, run=True)).count == 0, "it is settled"


async def test_what_a_webhook_settled_meanwhile_is_left_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adopted between the look and the deed: sent again it would be paid for twice, given up it would be lost."""
    (task_id,) = await held(desk, COPY)
    seen = await desk.journal.tasks.unconfirmed()
    adopted = replace(seen[0], state="accepted", due_at=None)
    await desk.journal.tasks.apply(Change(task=await desk.task(task_id), operation=adopted))

    async def before() -> list[object]:
        return list(seen)

    monkeypatch.setattr(desk.journal.tasks, "unconfirmed", before)
    for decision in ("resubmit", "abandon"):
        told = await settler(desk).settle_many(decision, [], COPY, run=True)
        assert (told.count, told.skipped) == (0, 1)
    assert await states(desk, [task_id]) == ["accepted"]
