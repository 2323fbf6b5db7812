"""What may be sent now: never beyond the account's slots, never beyond its balance."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from relay.flow.cancel import Canceller, TooLate
from relay.flow.intake import Origin
from relay.providers import Busy, Standing, Unclear
from tests.unit.flow.test_intake import Desk, accepted, answering

pytestmark = pytest.mark.anyio


def standing(balance: int = 1000, limit: int = 2, active: int = 0) -> Standing:
    return Standing(Decimal(balance), "credits", limit, active, 0, Decimal(0), Decimal(0))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    desk.provider.standing_now = standing()
    yield desk
    await desk.journal.close()


async def turns(desk: Desk, count: int = 5) -> int:
    """Let it work until nothing more goes; gives how many requests were sent in all."""
    for _ in range(count):
        await desk.turn()
    return len(desk.provider.sent)


async def ended(desk: Desk, task_id: str) -> None:
    from relay.journal import Change

    task = await desk.task(task_id)
    task.status = "succeeded"
    await desk.journal.tasks.apply(Change(task=task))


async def distinct(desk: Desk, count: int) -> list[str]:
    """Tasks that the provider knows by names of their own."""
    made = iter(range(100))

    async def answer() -> object:
        told = await accepted()
        told.task.id = f"theirs_{next(made)}"  # type: ignore[union-attr]
        return told

    desk.provider.answer = answer  # type: ignore[assignment]
    return [await desk.accept() for _ in range(count)]


async def test_no_more_is_sent_than_there_are_slots(desk: Desk) -> None:
    first, *_ = await distinct(desk, 5)
    assert await turns(desk) == 2
    await ended(desk, first)
    assert await turns(desk) == 3


async def test_what_others_run_on_the_account_takes_its_slots(desk: Desk) -> None:
    desk.provider.standing_now = standing(limit=3, active=2)
    await distinct(desk, 5)
    assert await turns(desk) == 1
    desk.provider.standing_now = standing(limit=3, active=1)
    desk.clock.advance(11)
    assert await turns(desk) == 3


async def test_what_runs_without_our_having_heard_of_it_takes_a_slot_before_and_after_the_account_is_read(
    desk: Desk,
) -> None:
    desk.provider.standing_now = standing(limit=2)
    desk.provider.honours_keys = False
    await distinct(desk, 4)
    answer, desk.provider.answer = desk.provider.answer, answering(Unclear("the answer was lost"))
    await desk.turn()
    desk.provider.answer = answer
    assert await turns(desk) == 2
    desk.clock.advance(61)
    desk.provider.standing_now = standing(limit=2, active=2)
    assert await turns(desk) == 2, "the account counts both: one of them is the one whose answer was lost"
    desk.provider.standing_now = standing(limit=2, active=1)
    desk.clock.advance(61)
    assert await turns(desk) == 3, "it has ended meanwhile"


async def test_without_a_word_of_the_account_one_goes_at_a_time_until_a_refusal_tells(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first, *_ = await distinct(desk, 6)
    assert await turns(desk, 3) == 3
    good = desk.provider.answer
    desk.provider.answer = answering(Busy("no slot", "user_concurrency_exceeded", 20.0, "slot"))
    await turns(desk, 3)
    assert len(desk.provider.sent) == 4, "it was refused once, and is not asked again"
    desk.provider.answer = good
    desk.clock.advance(21)
    assert await turns(desk, 3) == 4, "three ran when it was refused, so three is the limit"
    await ended(desk, first)
    assert await turns(desk, 3) == 5
    await desk.journal.close()


async def test_what_the_balance_surely_does_not_cover_is_not_sent(desk: Desk) -> None:
    desk.provider.standing_now = standing(balance=60)
    first, second = await distinct(desk, 2)
    assert await turns(desk) == 1, "50 of 60 are spoken for"
    view = await desk.governor.view()
    assert (view.waiting, view.paused_because) == (1, "balance")
    desk.provider.standing_now = standing(balance=10, active=1)
    desk.clock.advance(100)
    assert await turns(desk) == 1
    desk.provider.standing_now = standing(balance=50, active=1)
    desk.clock.advance(11)
    assert await turns(desk) == 2
    kinds = [entry.kind for entry in await desk.journal.tasks.history(second)]
    assert kinds == ["task.accepted", "queue.paused", "queue.resumed", "task.observed"]
    assert (await desk.governor.view()).paused_because is None
    assert "queue.paused" not in [entry.kind for entry in await desk.journal.tasks.history(first)]


async def test_a_refusal_for_money_pauses_all_and_is_tried_again_ever_more_rarely(desk: Desk) -> None:
    desk.provider.standing_now = standing(balance=67)
    desk.provider.answer = answering(Busy("75 needed", "insufficient_credits", None, "balance"))
    first, second = [await desk.accept() for _ in range(2)]
    for _ in range(360):
        await desk.turn()
        desk.clock.advance(10)
    assert 5 <= len(desk.provider.sent) <= 13, "an hour of probing what looked affordable"
    for task_id in (first, second):
        kinds = [entry.kind for entry in await desk.journal.tasks.history(task_id)]
        assert kinds.count("queue.paused") - kinds.count("queue.resumed") in (0, 1)
    desk.provider.standing_now = standing(balance=200)
    await distinct(desk, 0)
    desk.clock.advance(11)
    before = len(desk.provider.sent)
    assert await turns(desk) == before + 2


async def test_a_lost_connection_pauses_all_and_not_one_after_the_other(desk: Desk) -> None:
    desk.provider.answer = answering(Busy("unreachable", "unreachable"))
    for _ in range(10):
        await desk.accept()
    assert await turns(desk) <= 2
    assert (await desk.governor.view()).paused_because == "provider"
    desk.clock.advance(3)
    assert await turns(desk) <= 4


async def test_a_client_with_many_requests_does_not_keep_another_waiting(desk: Desk) -> None:
    await distinct(desk, 0)
    for _ in range(3):
        await desk.accept(origin=Origin("many"))
    other = await desk.accept(origin=Origin("one"))
    await turns(desk)
    assert (await desk.operation(other)).state == "accepted"


async def test_what_waits_can_be_cancelled_and_costs_nothing(desk: Desk) -> None:
    canceller = Canceller(desk.journal, desk.clock, desk.observer)
    task_id = await desk.accept()
    cancelled = await canceller.cancel(task_id)
    assert cancelled is not None
    assert cancelled.kind == "create"
    task = await desk.task(task_id)
    assert (task.status, task.provider_id, task.next_poll_at) == ("failed", None, None)
    assert '"error_code":"cancelled"' in (task.observed or "")
    assert await turns(desk) == 0
    with pytest.raises(TooLate, match="its create is cancelled"):
        await canceller.cancel(task_id)
    assert await canceller.cancel("task_none") is None


async def test_whoever_claims_first_wins_against_a_cancel(desk: Desk) -> None:
    """The sender takes the operation between the look and the cancel: it is sent, and the cancel says so."""
    task_id = await desk.accept()

    class Slow(Canceller):
        async def _take_back(self, *args: object) -> None:
            if not desk.provider.sent:
                await desk.turn()
            await super()._take_back(*args)  # type: ignore[arg-type]

    with pytest.raises(TooLate, match="its create is accepted"):
        await Slow(desk.journal, desk.clock, desk.observer).cancel(task_id)
    assert (await desk.task(task_id)).status == "queued"
    assert len(desk.provider.sent) == 1
