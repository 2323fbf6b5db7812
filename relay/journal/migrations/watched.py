"""Rows of sheets that are read again and again."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m019_watched_rows(db: Database) -> None:
    """What each row of a watched sheet asked for, and what stands beside it."""
    rows = create(
        db,
        "watched_rows",
        {
            "sheet": str,
            "id": str,
            "identity": str,
            "version": str,
            "workflow": str,
            "request": str,
            "facts": str,
            "state": str,
            "error": str,
            "task_id": str,
            "written": str,
            "pending": str,
            "held": str,
            "done": int,
            "updated_at": float,
        },
        pk=("sheet", "id"),
        not_null={"identity", "version", "workflow", "request", "facts", "state", "written", "pending", "held", "done"},
    )
    rows.create_index(["sheet", "done"])
