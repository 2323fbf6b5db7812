"""What connectors note between two steps of their work."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m005_notes(db: Database) -> None:
    """Notes by scope (a delivery, or a task at one connection) and name."""
    create(
        db,
        "notes",
        {"scope": str, "name": str, "value": bytes, "updated_at": float},
        pk=("scope", "name"),
        not_null={"value", "updated_at"},
    )
