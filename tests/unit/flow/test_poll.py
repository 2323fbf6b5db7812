"""The budget: never more polls in any minute than are allowed, however they come."""

import random
from collections import deque

import pytest

from relay.flow.poll import Budget
from tests.virtual import VirtualClock


@pytest.mark.parametrize("per_minute", [1, 10, 120, 600])
def test_never_more_in_any_minute_than_allowed(per_minute: int) -> None:
    clock, chance = VirtualClock(), random.Random(per_minute)
    budget = Budget(per_minute, clock)
    taken: deque[float] = deque()
    for _ in range(20_000):
        clock.advance(chance.choice((0.0, 0.01, 0.3, 5.0)))
        taken.extend([clock.now()] * budget.take(chance.randint(0, 8)))
        while taken and taken[0] <= clock.now() - 60:
            taken.popleft()
        assert len(taken) <= max(per_minute, 2)


def test_it_is_used_nearly_whole_when_there_is_enough_to_ask() -> None:
    clock = VirtualClock()
    budget = Budget(120, clock)
    total = 0
    for _ in range(36_000):
        clock.advance(0.1)
        total += budget.take(8)
    assert total >= 0.85 * 120 * 60


def test_too_many_requests_pauses_all_polls() -> None:
    clock = VirtualClock()
    budget = Budget(120, clock)
    budget.pause(30)
    clock.advance(29)
    assert budget.take(5) == 0
    assert 0 < budget.wait() <= 2.0
    clock.advance(budget.wait() + 0.001)
    assert budget.take(5) == 1


def test_what_is_given_back_can_be_taken_again() -> None:
    clock = VirtualClock()
    budget = Budget(120, clock)
    taken = budget.take(8)
    budget.give_back(8)
    assert budget.take(8) == taken == 8
