"""The outbox: claim and acknowledge, durably, with 10 thousand and with 1 million deliveries pending.

The cost per delivery must not grow with what is waiting: both are measured in the same run, alternating.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from relay.journal import DeliveryRow, Settlement, SqliteJournal
from relay.journal.rows import insert, values

ROOT = Path(__file__).resolve().parents[2]
BATCH = 100


def run(*, quick: bool) -> None:
    small, large, rounds = (2_000, 20_000, 5) if quick else (10_000, 1_000_000, 40)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        few, many = asyncio.run(_compare(Path(folder), small, large, rounds))
    print("\noutbox: claim 100 and acknowledge 100, durable")
    for pending, cost in ((small, few), (large, many)):
        print(f"  {pending:9,} pending   {cost * 1e6:6.1f} us per delivery   {1 / cost:8.0f}/s")
    print(f"  growth                  {many / few:6.2f}   (aim: at most 1.60)")


async def _compare(folder: Path, small: int, large: int, rounds: int) -> tuple[float, float]:
    journals = [await _filled(folder / f"{pending}.db", pending) for pending in (small, large)]
    costs: list[list[float]] = [[], []]
    for _ in range(rounds):
        for journal, cost in zip(journals, costs, strict=True):
            cost.append(await _round(journal))
    for journal in journals:
        await journal.close()
    return median(costs[0]), median(costs[1])


async def _filled(path: Path, pending: int) -> SqliteJournal:
    journal = SqliteJournal.open(path)
    skip = frozenset({"waits_for"})
    statement = insert("deliveries", DeliveryRow, skip=skip)
    for start in range(0, pending, 50_000):
        rows = [values(_row(number), skip=skip) for number in range(start, min(start + 50_000, pending))]
        await journal.write(lambda connection, rows=rows: connection.executemany(statement, rows) and None)
    return journal


def _row(number: int) -> DeliveryRow:
    return DeliveryRow(
        id=f"dlv_{number:012}",
        task_id=f"task_{number:012}",
        revision=1,
        event_id=f"evt_{number:012}",
        recipe="bench",
        recipe_hash="h",
        step="post",
        use="http",
        connection=None,
        state="due",
        created_at=1.0,
        updated_at=1.0,
        due_at=1.0 + number * 7919 % 1_000_003 / 1e6,  # due in another order than they were made
    )


async def _round(journal: SqliteJournal) -> float:
    started = time.perf_counter()
    claimed = await journal.deliveries.claim(1e9, lambda: BATCH, 60.0)
    done = [msgspec.structs.replace(one.delivery, state="done", due_at=None) for one in claimed]
    await asyncio.gather(*(journal.deliveries.settle(Settlement(delivery=row)) for row in done))
    return (time.perf_counter() - started) / BATCH
