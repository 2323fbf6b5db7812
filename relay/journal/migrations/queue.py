"""The submission queue: whose turn it is, and what runs."""

from sqlite_utils import Database

from .steps import create, migrations, sql


@migrations()
def m009_queue(db: Database) -> None:
    """Who asked for a task, in which batch, with which tags; lanes served in turn; what a task surely costs."""
    tasks, operations = db.table("tasks"), db.table("operations")
    tasks.add_column("batch", str, not_null_default="")
    tasks.add_column("tags", str, not_null_default="[]")
    operations.add_column("client", str, not_null_default="")
    operations.add_column("batch", str, not_null_default="")
    operations.add_column("priority", int, not_null_default=0)
    operations.add_column("cost", int)
    operations.add_column("unit", str, not_null_default="credits")
    create(
        db,
        "turns",
        {"client": str, "batch": str, "served": int},
        pk=("client", "batch"),
        not_null={"served"},
    )
    sql(
        db,
        "CREATE INDEX operations_queued ON operations(priority, client, batch, id) WHERE state = 'queued'",
    )
    sql(db, "CREATE INDEX operations_queued_due ON operations(due_at) WHERE state = 'queued'")
    sql(db, "CREATE INDEX operations_sending ON operations(due_at) WHERE state = 'sending'")
    sql(db, "CREATE INDEX operations_sent ON operations(sent_at) WHERE sent_at IS NOT NULL")
    sql(
        db,
        "CREATE INDEX tasks_running ON tasks(updated_at) WHERE provider_id IS NOT NULL"
        " AND status NOT IN ('succeeded', 'failed', 'storyboard_ready', 'requires_action')",
    )
    sql(db, "CREATE INDEX turns_served ON turns(served)")
    sql(db, "CREATE INDEX tasks_batch ON tasks(batch, id) WHERE batch != ''")
