"""How long a batch may still take is reckoned from what its own rows took."""

import pytest

from relay.flow.batches import seconds_left
from relay.journal import RowTask

STARTED = 1_000.0


def task(created: float, finished: float | None) -> RowTask:
    return RowTask(1, "task_1", "succeeded", None, STARTED + created, finished and STARTED + finished, confirmed=True)


@pytest.mark.parametrize(
    ("tasks", "still_open", "seconds"),
    [
        ([task(0, None)], 0, 0.0),
        ([task(0, None)], 9, None),
        ([task(0, 60), task(0, 80)], 10, 140.0),  # 70 s each, five at once
        ([task(0, 60), task(0, 70), task(0, 80), task(0, 90), task(0, None)], 12, 120.0),  # one every 10 s
    ],
)
def test_the_rest_takes_what_the_first_ones_took(tasks: list[RowTask], still_open: int, seconds: float | None) -> None:
    assert seconds_left(tasks, still_open, STARTED, 5) == seconds


def test_rows_of_an_earlier_batch_tell_nothing() -> None:
    yesterday = [task(-86_400, -86_000 + 10 * number) for number in range(5)]
    assert seconds_left(yesterday, 3, STARTED, 5) is None
    today = [task(0, 60 + 10 * number) for number in range(4)]
    assert seconds_left([*yesterday, *today], 3, STARTED, 5) == 30.0
