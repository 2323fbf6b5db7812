"""Rows of a sheet that nobody sees in a spreadsheet program."""

from sqlite_utils import Database

from .steps import migrations


@migrations()
def m022_hidden_rows(db: Database) -> None:
    """Whether a row was hidden, or left out by a filter, when the sheet was given."""
    db.table("rows").add_column("hidden", int, not_null_default=0)
