"""Somebody sets the machine's clock while the relay serves."""

import time
from collections.abc import Callable

import pytest

from tests.integration.conftest import Line


class Machine:
    """The clock as it was set."""

    def __init__(self) -> None:
        self.by = 0.0

    def time(self) -> float:
        return time.time() + self.by

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.mark.parametrize("by", [-3600.0, 3600.0], ids=["back", "forward"])
def test_the_line_goes_on_by_polling_and_pays_and_delivers_once(
    start: Callable[..., Line], monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    machine = Machine()
    monkeypatch.setattr("relay.clock.time", machine)
    line = start(hears=False)
    before = line.create()
    line.until(before, "task.observed")
    machine.by = by
    after = line.create()
    line.delivered(before)
    line.delivered(after)
    assert len(set(line.receiver.ids)) == len(line.receiver.ids) == 2
    assert line.ledger()["creates"] == 2
    assert line.client.get("/ready").json()["ready"]
