"""The relay's own secrets, sealed."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m014_secrets(db: Database) -> None:
    """Sealed values by name: what is given on the set-up page."""
    create(
        db,
        "secrets",
        {"name": str, "value": bytes, "updated_at": float},
        pk="name",
        not_null={"value", "updated_at"},
    )
