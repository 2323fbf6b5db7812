"""The outbox costs the same with a million deliveries waiting: every statement of its round finds its rows by index."""

import sqlite3
from pathlib import Path

import pytest

from relay.journal import SqliteJournal, sqlite_lanes, sqlite_order

HOT = {
    "lanes": (sqlite_lanes._DUE_LANES, {"now": 1}),
    "claim": (sqlite_lanes._CLAIM, {"ids": "[]", "now": 1, "until": 2, "probe": 0}),
    "park": (sqlite_lanes._PARK, {}),
    "free": (sqlite_lanes._FREE, {"lane": "a", "now": 1}),
    "earlier": (sqlite_order._EARLIER, ("task", 2, "lane")),
    "release": (sqlite_order._RELEASE, {"now": 1, "over": "dlv", "kind": "step"}),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", HOT)
async def test_no_statement_of_the_round_looks_at_every_delivery(tmp_path: Path, name: str) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    await journal.close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    sql, given = HOT[name]
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    connection.close()
    assert not [line for line in plan if line.startswith("SCAN deliveries")], plan
    counted = [line for line in plan if "deliveries_lane_state" in line]
    assert counted or name != "lanes", f"those under way are counted among all that wait: {plan}"
