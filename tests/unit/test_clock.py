"""The machine's clock is set; what is due stays due, and what others compare with theirs follows at once."""

import time
from collections.abc import Iterator

import pytest

from connectors.base import Wait
from connectors.slack.pace import Pace
from relay.clock import SystemClock

NOW = 1_800_000_000.0


class Machine:
    """Its two clocks: the one that people set, and the one that counts seconds."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 50.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine()
    monkeypatch.setattr(time, "time", lambda: machine.wall)
    monkeypatch.setattr(time, "monotonic", lambda: machine.steady)
    yield machine
    monkeypatch.undo()


def test_it_is_the_machines_own_as_long_as_that_goes_on(machine: Machine) -> None:
    clock = SystemClock()
    for seconds in (0.0, 0.001, 1.0, 3600.0):
        machine.passes(seconds)
        assert clock.now() == clock.wall() == machine.wall
    machine.wall += 3600
    assert clock.now() == clock.wall() == machine.wall, "set forward"


def test_after_it_was_set_back_it_goes_on_at_half_the_pace_until_they_meet(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SystemClock()
    due = clock.now() + 10
    machine.wall -= 3600
    assert clock.now() == NOW
    assert clock.wall() == NOW - 3600
    machine.passes(20)
    assert clock.now() == due, "what was due in 10 s is due after 20"
    for _ in range(7200):
        before = clock.now()
        machine.passes(1)
        assert clock.now() > before
    assert clock.now() == clock.wall() == machine.wall
    assert [record.getMessage() for record in caplog.records] == [
        "the machine's clock was set back by 3600 s: until it has caught up, waits take twice as long"
    ]


def test_a_small_correction_is_no_news(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    clock = SystemClock()
    clock.now()
    machine.wall -= 2
    machine.passes(1)
    assert clock.now() == NOW + 0.5
    assert not caplog.records


def test_ids_go_on_too(machine: Machine) -> None:
    clock = SystemClock()
    first = clock.new_id("task")
    machine.wall -= 3600
    machine.passes(1)
    assert clock.new_id("task") > first


def test_slacks_turns_are_not_kept_waiting_for_a_time_that_was_set_back() -> None:
    pace = Pace()
    pace.take(("W", "C"), "first", 10_000)
    pace.take(("W", "C"), "second", 10_000 - 3600)
    with pytest.raises(Wait) as told:
        pace.take(("W", "C"), "third", 10_000 - 3600)
    assert told.value.after == 1.0
