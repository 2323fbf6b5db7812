"""The money ledger: append-only, never pruned."""

from sqlite_utils import Database

from .steps import create, migrations


@migrations()
def m010_ledger(db: Database) -> None:
    """What was reserved, charged, settled and refunded, line by line; where the comparison with the provider began."""
    db.table("tasks").add_column("usage", str, not_null_default="{}")
    ledger = create(
        db,
        "ledger",
        {
            "seq": int,
            "at": float,
            "day": str,
            "task_id": str,
            "operation_id": str,
            "client": str,
            "batch": str,
            "kind": str,
            "amount": int,
            "unit": str,
            "told_by": str,
        },
        pk="seq",
        not_null={"at", "day", "task_id", "operation_id", "client", "batch", "kind", "amount", "unit", "told_by"},
    )
    ledger.create_index(["task_id"])
    ledger.create_index(["at"])
    create(
        db,
        "baselines",
        {
            "provider": str,
            "at": float,
            "unit": str,
            "their_tasks": int,
            "their_settled": int,
            "their_refunded": int,
            "our_tasks": int,
            "our_settled": int,
            "our_refunded": int,
        },
        pk="provider",
        not_null={"at", "unit", "their_tasks", "their_settled", "their_refunded"},
    )
