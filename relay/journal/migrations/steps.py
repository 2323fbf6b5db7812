"""What every migration is made with."""

from sqlite_utils import Database, Migrations
from sqlite_utils.db import Table

migrations = Migrations("beatrelay")


def sql(db: Database, statement: str) -> None:
    """Run one statement that sqlite-utils has no words for."""
    db.conn.execute(statement)


def create(
    db: Database,
    name: str,
    columns: dict[str, type],
    *,
    pk: str | tuple[str, ...] = "id",
    not_null: set[str],
) -> Table:
    """A new table."""
    table = db.table(name)
    table.create(columns, pk=pk, not_null=not_null)
    return table
