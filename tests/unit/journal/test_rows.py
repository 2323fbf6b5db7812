"""Structs to rows and back."""

import sqlite3

import pytest

from relay.journal.rows import BULK, in_bulk


@pytest.mark.parametrize("number", [0, 1, 2, 3, BULK - 1, BULK, BULK + 1, 3 * BULK + 5])
def test_many_rows_are_written_in_order_by_few_statements(number: int) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE things (name TEXT, at REAL)")
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    rows = [(f"thing {one}", 1_700_000_000.123456 + one) for one in range(number)]
    in_bulk(connection, "INSERT INTO things (name, at) VALUES (?, ?)", rows)
    connection.set_trace_callback(None)
    assert connection.execute("SELECT * FROM things ORDER BY rowid").fetchall() == rows
    inserts = [statement for statement in statements if statement.startswith("INSERT")]
    assert len(inserts) <= number // BULK + BULK.bit_length()
