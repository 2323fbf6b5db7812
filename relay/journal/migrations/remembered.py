"""What is remembered of sheets that are watched, beyond their rows."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m021_watched_sheets(db: Database) -> None:
    """What was seen of a sheet last, and what is under way to it."""
    create(db, "watched_sheets", {"sheet": str, "memory": bytes}, pk="sheet", not_null={"memory"})
