"""What retention looks for."""

from sqlite_utils import Database

from .steps import migrations


@migrations()
def m015_notes_by_time(db: Database) -> None:
    """Old notes are forgotten by time."""
    db.table("notes").create_index(["updated_at"])
