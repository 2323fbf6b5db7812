"""When the journal was put back from a copy."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m020_restores(db: Database) -> None:
    """One row each time: when, and how old the copy was."""
    create(db, "restores", {"at": float, "taken_at": float}, pk="at", not_null={"taken_at"})
