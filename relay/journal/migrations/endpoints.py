"""Customers' endpoints: who owns them, how they fare, what they were told, and notices about them."""

from sqlite_utils import Database

from .steps import create, migrations, sql


@migrations()
def m007_endpoints_that_work(db: Database) -> None:
    """Kinds, owners and health of endpoints; events that are no finish; notices."""
    endpoints = db.table("endpoints")
    endpoints.add_column("kind", str, not_null_default="webhook")
    endpoints.add_column("owner", str)
    endpoints.add_column("overlap_until", float)
    endpoints.add_column("failing_since", float)
    endpoints.add_column("disabled_reason", str)
    db.table("tasks").add_column("client", str, not_null_default="")
    updates = create(
        db,
        "updates",
        {
            "event_id": str,
            "task_id": str,
            "revision": int,
            "event": str,
            "at": float,
            "observed": str,
            "told_by": str,
        },
        pk="event_id",
        not_null={"task_id", "revision", "event", "at", "observed", "told_by"},
    )
    updates.create_index(["at"])
    finishes = db.table("finishes")
    finishes.create_index(["event_id"])
    finishes.create_index(["at"])
    sql(db, "CREATE INDEX deliveries_endpoint ON deliveries(step, id) WHERE use = 'endpoint'")
    create(
        db,
        "notices",
        {"id": str, "at": float, "kind": str, "about": str, "owner": str, "text": str},
        not_null={"at", "kind", "about", "text"},
    )
