"""Recipes that a request names for itself."""

from sqlite_utils import Database

from .steps import migrations


@migrations()
def m016_chosen_recipes(db: Database) -> None:
    """The recipes that a task or a batch was asked for with (a JSON array of names); empty: all that fit."""
    for name in ("tasks", "batches"):
        db.table(name).add_column("recipes", str, not_null_default="[]")
