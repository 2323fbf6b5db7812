"""Ten thousand rows of a workbook read, matched, checked and identified; and their results written back.

The yardstick is openpyxl only reading the same cells, in the same run.
"""

import io
import resource
import time
from collections.abc import Callable
from typing import TypeVar

from openpyxl import Workbook, load_workbook

from relay.sheets import match, plan_rows, read_table
from relay.sheets.put import with_results
from relay.sheets.results import Result

T = TypeVar("T")
MOST_SECONDS, MOST_MEGABYTES = 5, 200
TITLES = ("Artist", "Title", "Audio", "Image 1", "Image 2", "Prompt", "Format", "Mood", "id")


def run(*, quick: bool) -> None:
    """The same, quick or not: the aims are promises, and fail if they are not met."""
    del quick
    count = 10_000
    content = _workbook(count)
    before = _peak()
    table, planning = _timed(lambda: read_table(content))
    columns = match(table)
    rows, checking = _timed(lambda: plan_rows(table, columns))
    memory = _peak() - before
    done = {row.number: Result(status="succeeded", video_url="https://v.example/1.mp4") for row in rows}
    _, writing = _timed(lambda: with_results(content, table, columns, done))
    _, yardstick = _timed(lambda: list(load_workbook(io.BytesIO(content), read_only=True).active.values))
    assert len(rows) == count
    assert not any(row.problems for row in rows)
    print(f"\nsheets: {count:,} rows of an XLSX")
    print(f"  planned                 {planning + checking:6.2f} s   (must be under {MOST_SECONDS})")
    print(f"  extra memory            {memory / 1024:6.0f} MB  (must be under {MOST_MEGABYTES})")
    print(f"  results written back    {writing:6.2f} s")
    assert planning + checking < MOST_SECONDS
    assert memory / 1024 < MOST_MEGABYTES
    print(f"  planned / openpyxl read {(planning + checking) / yardstick:6.2f}")


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _workbook(count: int) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Songs")
    sheet.append(TITLES)
    for number in range(count):
        cover, audio = f"https://m.example.com/{number}.png", f"https://m.example.com/{number}.mp3"
        prompt = f"Number {number}: rain on a rooftop at night, neon, slow camera"
        sheet.append([f"Artist {number}", f"Title {number}", audio, cover, "", prompt, "9:16", "dark", number])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()
