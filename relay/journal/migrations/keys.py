"""What an API key may do, how much of it, and when it was last used."""

from sqlite_utils import Database

from .steps import migrations


@migrations()
def m006_limits_of_keys(db: Database) -> None:
    """Limits, an end and a last use for each key; ``hint`` is what a person recognises it by."""
    keys = db.table("api_keys")
    keys.add_column("hint", str, not_null_default="")
    keys.add_column("per_minute", int)
    keys.add_column("share", int)
    keys.add_column("expires_at", float)
    keys.add_column("last_used_at", float)
