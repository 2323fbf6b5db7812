"""What recipe files said before."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m018_recipe_versions(db: Database) -> None:
    """Each saved text of each recipe file."""
    versions = create(
        db,
        "recipe_versions",
        {"id": str, "file": str, "text": str, "at": float, "by": str, "what": str},
        not_null={"file", "text", "at", "by", "what"},
    )
    versions.create_index(["file", "id"])
