"""Batches: a sheet whose rows become tasks."""

from sqlite_utils import Database

from .steps import create, migrations, sql


@migrations()
def m011_batches(db: Database) -> None:
    """Sheets as they were given, and their rows. A row's identity stands on its task: no content is ever asked for
    twice, whichever sheet it comes in."""
    db.table("rows").drop()
    db.table("batches").drop()
    batches = create(
        db,
        "batches",
        {
            "id": str,
            "client": str,
            "name": str,
            "sheet": str,
            "digest": str,
            "state": str,
            "columns": str,
            "created_at": float,
            "started_at": float,
            "finished_at": float,
            "priority": int,
            "tags": str,
        },
        not_null={"client", "name", "sheet", "digest", "state", "columns", "created_at", "priority", "tags"},
    )
    batches.create_index(["state"])
    create(
        db,
        "rows",
        {
            "batch_id": str,
            "number": int,
            "identity": str,
            "version": str,
            "workflow": str,
            "request": str,
            "facts": str,
            "state": str,
            "problems": str,
            "uploads": str,
            "task_id": str,
        },
        pk=("batch_id", "number"),
        not_null={"identity", "version", "workflow", "request", "facts", "state", "problems", "uploads"},
    )
    tasks = db.table("tasks")
    tasks.add_column("row_identity", str)
    tasks.add_column("row_version", str)
    sql(
        db,
        "CREATE UNIQUE INDEX tasks_row ON tasks(row_identity, row_version) WHERE row_identity IS NOT NULL",
    )
