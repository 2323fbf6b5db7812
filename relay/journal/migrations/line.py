"""The tables of the line itself: receipts, tasks, operations, history, deliveries, media."""

from sqlite_utils import Database
from sqlite_utils.db import Table

from .steps import create, migrations, sql


@migrations()
def m001_first_line(db: Database) -> None:
    """Receipts, tasks, operations, finishes, history, deliveries, media, recipes."""
    _receipts(db)
    _tasks(db)
    _deliveries(db)


@migrations()
def m002_people_and_places(db: Database) -> None:
    """Batches with their rows, customers' endpoints, connections and API keys."""
    create(
        db,
        "batches",
        {"id": str, "name": str, "source": str, "state": str, "created_at": float, "finished_at": float},
        not_null={"name", "state", "created_at"},
    )
    rows: Table = create(
        db,
        "rows",
        {"id": str, "batch_id": str, "key": str, "position": int, "cells": str, "task_id": str, "state": str},
        not_null={"batch_id", "key", "position", "cells", "state"},
    )
    rows.create_index(["batch_id", "key"], unique=True)
    create(
        db,
        "endpoints",
        {
            "id": str,
            "url": str,
            "description": str,
            "events": str,
            "status": str,
            "secret": bytes,
            "created_at": float,
            "updated_at": float,
        },
        not_null={"url", "events", "status", "secret", "created_at", "updated_at"},
    )
    create(
        db,
        "connections",
        {"name": str, "connector": str, "settings": str, "secrets": bytes, "updated_at": float},
        pk="name",
        not_null={"connector", "settings", "updated_at"},
    )
    keys = create(
        db,
        "api_keys",
        {"id": str, "name": str, "digest": str, "scopes": str, "created_at": float, "revoked_at": float},
        not_null={"name", "digest", "scopes", "created_at"},
    )
    keys.create_index(["digest"], unique=True)


@migrations()
def m003_receipts_by_time(db: Database) -> None:
    """Unclaimed webhooks are looked for by time, and old ones forgotten by it."""
    db.table("receipts").create_index(["received_at"])


@migrations()
def m004_operations_on_shots(db: Database) -> None:
    """Edits and composes: what they are about, whose key they carry, and close polling after them."""
    operations = db.table("operations")
    operations.add_column("target", str, not_null_default="")
    operations.add_column("client_key", str)
    operations.create_index(["client_key"], unique=True)
    db.table("tasks").add_column("watch_until", float)


def _receipts(db: Database) -> None:
    receipts = create(
        db,
        "receipts",
        {
            "id": str,
            "received_at": float,
            "verdict": str,
            "status": int,
            "reason": str,
            "event_id": str,
            "event": str,
            "provider_task_id": str,
            "headers": str,
            "body": bytes,
            "seen": int,
        },
        not_null={"received_at", "verdict", "status", "seen"},
    )
    sql(
        db,
        "CREATE UNIQUE INDEX receipts_event ON receipts(event_id, verdict)"
        " WHERE event_id IS NOT NULL AND verdict IN ('accepted', 'stale')",
    )
    receipts.create_index(["provider_task_id", "received_at"])


def _tasks(db: Database) -> None:
    tasks = create(
        db,
        "tasks",
        {
            "id": str,
            "provider": str,
            "workflow": str,
            "status": str,
            "request": str,
            "created_at": float,
            "updated_at": float,
            "provider_id": str,
            "row": str,
            "client_key": str,
            "observed": str,
            "told_by": str,
            "confirmed": int,
            "revision": int,
            "version": int,
            "finished_at": float,
            "next_poll_at": float,
            "polls": int,
            "poll_failures": int,
            "woken_at": float,
            "hint_receipt": str,
        },
        not_null={"provider", "workflow", "status", "request", "created_at", "updated_at"},
    )
    tasks.create_index(["provider_id"], unique=True)
    tasks.create_index(["client_key"], unique=True)
    sql(db, "CREATE INDEX tasks_due ON tasks(next_poll_at) WHERE next_poll_at IS NOT NULL")
    operations = create(
        db,
        "operations",
        {
            "id": str,
            "task_id": str,
            "kind": str,
            "state": str,
            "body": str,
            "created_at": float,
            "due_at": float,
            "attempts": int,
            "failures": int,
            "fence": int,
            "sent_at": float,
            "settled_at": float,
            "error": str,
        },
        not_null={"task_id", "kind", "state", "body", "created_at"},
    )
    operations.create_index(["task_id"])
    sql(db, "CREATE INDEX operations_due ON operations(due_at) WHERE due_at IS NOT NULL")
    sql(db, "CREATE INDEX operations_unconfirmed ON operations(sent_at) WHERE state = 'unconfirmed'")
    create(
        db,
        "finishes",
        {
            "task_id": str,
            "revision": int,
            "event_id": str,
            "event": str,
            "at": float,
            "observed": str,
            "told_by": str,
        },
        pk=("task_id", "revision"),
        not_null={"event_id", "event", "at", "observed", "told_by"},
    )
    history = create(
        db,
        "history",
        {"seq": int, "task_id": str, "at": float, "kind": str, "data": str},
        pk="seq",
        not_null={"task_id", "at", "kind", "data"},
    )
    history.create_index(["task_id", "seq"])


def _deliveries(db: Database) -> None:
    deliveries = create(
        db,
        "deliveries",
        {
            "id": str,
            "task_id": str,
            "revision": int,
            "event_id": str,
            "recipe": str,
            "recipe_hash": str,
            "step": str,
            "use": str,
            "connection": str,
            "state": str,
            "created_at": float,
            "updated_at": float,
            "due_at": float,
            "blockers": int,
            "fence": int,
            "attempts": int,
            "failures": int,
            "outcome": str,
            "error": str,
        },
        not_null={"task_id", "revision", "event_id", "recipe", "recipe_hash", "step", "use", "state"},
    )
    deliveries.create_index(["task_id", "revision"])
    deliveries.create_index(["event_id", "recipe", "step"], unique=True)
    sql(db, "CREATE INDEX deliveries_due ON deliveries(due_at) WHERE due_at IS NOT NULL")
    sql(db, "CREATE INDEX deliveries_open ON deliveries(state) WHERE state IN ('waiting', 'dead')")
    sql(
        db,
        "CREATE TABLE waits (waits_for TEXT NOT NULL, delivery_id TEXT NOT NULL,"
        " PRIMARY KEY (waits_for, delivery_id)) WITHOUT ROWID",
    )
    media = create(
        db,
        "media",
        {
            "id": str,
            "task_id": str,
            "revision": int,
            "position": int,
            "source_url": str,
            "name": str,
            "path": str,
            "mime_type": str,
            "size": int,
            "sha256": str,
            "stored_at": float,
        },
        not_null={"task_id", "revision", "position", "source_url", "name", "path", "size", "sha256"},
    )
    media.create_index(["task_id", "revision", "position"], unique=True)
    create(
        db,
        "recipes",
        {"hash": str, "name": str, "file": str, "source": str},
        pk="hash",
        not_null={"name", "file", "source"},
    )
