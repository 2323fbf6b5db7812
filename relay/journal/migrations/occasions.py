"""What recipes fire on besides a finish."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m012_occasions(db: Database) -> None:
    """Occasions by event id; the same thing happens once."""
    occasions = create(
        db,
        "occasions",
        {
            "event_id": str,
            "event": str,
            "task_id": str,
            "revision": int,
            "at": float,
            "key": str,
            "context": str,
        },
        pk="event_id",
        not_null={"event", "task_id", "revision", "at", "key", "context"},
    )
    occasions.create_index(["key"], unique=True)
    occasions.create_index(["at"])
