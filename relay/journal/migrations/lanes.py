"""Lanes: one a destination, each with its own order, room, pauses and breaker."""

from sqlite_utils import Database

from .steps import create, migrations, sql

PARKED_OR_LEASED = "state IN ('leased', 'parked')"
NOT_OVER = "state NOT IN ('done', 'leased')"


@migrations()
def m008_lanes(db: Database) -> None:
    """Every delivery has a lane, may be a probe, and may be a replay; finishes can be found by time."""
    create(
        db,
        "lanes",
        {
            "name": str,
            "paused_at": float,
            "reason": str,
            "held_until": float,
            "opened_at": float,
            "probes": int,
            "failing": str,
            "error": str,
            "next_at": float,
            "claimed_at": float,
        },
        pk="name",
        not_null=set(),
    )
    deliveries = db.table("deliveries")
    deliveries.add_column("lane", str, not_null_default="")
    deliveries.add_column("probe", int, not_null_default=0)
    deliveries.add_column("replay", int, not_null_default=0)
    sql(db, "UPDATE deliveries SET lane = coalesce(connection, use)")
    sql(db, "DROP INDEX deliveries_due")
    sql(db, "DROP INDEX deliveries_open")
    sql(db, "DROP INDEX idx_deliveries_event_id_recipe_step")
    deliveries.create_index(["event_id", "recipe", "step", "replay"], unique=True)
    sql(db, "CREATE INDEX deliveries_lane_due ON deliveries(lane, due_at) WHERE due_at IS NOT NULL")
    sql(db, f"CREATE INDEX deliveries_lane_state ON deliveries(lane, state) WHERE {PARKED_OR_LEASED}")
    sql(db, f"CREATE INDEX deliveries_not_over ON deliveries(state, id) WHERE {NOT_OVER}")
    sql(db, "ALTER TABLE waits ADD COLUMN kind TEXT NOT NULL DEFAULT 'step'")
    sql(db, "CREATE INDEX waits_of ON waits(delivery_id)")
    db.table("finishes").create_index(["at", "event_id"])
