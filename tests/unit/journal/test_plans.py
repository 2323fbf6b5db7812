"""How SQLite goes about the questions that are asked all the time: never through everything that was ever done."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from relay.journal import DeliveryFilter, DeliveryState, SqliteJournal
from relay.journal.sqlite_found import find
from relay.journal.sqlite_queue import _LOAD, _SPENT  # pyright: ignore[reportPrivateUsage]

OVER: set[DeliveryState] = {"done"}


@pytest.fixture
async def journal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty journal, to be asked how it would go about something."""
    await SqliteJournal.open(tmp_path / "journal.db").close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.row_factory = sqlite3.Row
    yield connection
    connection.close()


def plans(connection: sqlite3.Connection, statements: list[str]) -> list[str]:
    """The plan of each statement that was run, a line a step."""
    return [row["detail"] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.anyio
@pytest.mark.parametrize("state", sorted(set(get_args(DeliveryState)) - OVER))
@pytest.mark.parametrize("recipe", [None, "Keep"])
async def test_what_is_not_over_is_found_by_its_own_index(
    journal: sqlite3.Connection, state: DeliveryState, recipe: str | None
) -> None:
    seen: list[str] = []
    journal.set_trace_callback(seen.append)
    find(journal, DeliveryFilter(states=[state], recipe=recipe), 51, "dlv_1")
    journal.set_trace_callback(None)
    plan = plans(journal, seen)
    assert any("deliveries_not_over" in step or "deliveries_lane_state" in step for step in plan), plan


@pytest.mark.anyio
async def test_what_runs_is_counted_from_the_operations_of_late(journal: sqlite3.Connection) -> None:
    given = {"since": 0, "seen": 0}
    plan = [row["detail"] for row in journal.execute(f"EXPLAIN QUERY PLAN {_LOAD}", given)]
    plan += [row["detail"] for row in journal.execute(f"EXPLAIN QUERY PLAN {_SPENT}", (0,))]
    joined = [step for step in plan if step.startswith(("SEARCH o ", "SEARCH t "))]
    assert joined[0].startswith("SEARCH o USING INDEX operations_sent"), "the few operations first, not all tasks"
    assert "id=?" in joined[1], joined
    assert not any(step.startswith("SCAN operations") and "INDEX" not in step for step in plan)
