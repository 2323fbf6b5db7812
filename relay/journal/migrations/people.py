"""People who sign in to the dashboard, and indexes for its lists."""

from sqlite_utils import Database

from .steps import create, migrations, sql


@migrations()
def m013_people(db: Database) -> None:
    """Users, sessions, one-time links; tasks by status and deliveries by recipe or connection, newest first."""
    create(
        db,
        "users",
        {"id": str, "name": str, "role": str, "password": str, "created_at": float, "seen_at": float},
        not_null={"name", "role", "password", "created_at"},
    )
    sql(db, "CREATE UNIQUE INDEX users_name ON users(name COLLATE NOCASE)")
    sessions = create(
        db,
        "sessions",
        {
            "id": str,
            "digest": str,
            "created_at": float,
            "rotated_at": float,
            "seen_at": float,
            "former": str,
            "user_id": str,
            "key_id": str,
        },
        not_null={"digest", "created_at", "rotated_at", "seen_at"},
    )
    sessions.create_index(["digest"], unique=True)
    sessions.create_index(["former"])
    create(
        db,
        "links",
        {"digest": str, "role": str, "created_at": float, "expires_at": float, "used_at": float},
        pk="digest",
        not_null={"role", "created_at", "expires_at"},
    )
    db.table("tasks").create_index(["status", "id"])
    deliveries = db.table("deliveries")
    deliveries.create_index(["recipe", "id"])
    deliveries.create_index(["lane", "id"])
