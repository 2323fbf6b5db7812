"""The dashboard's lists with a million tasks in the journal, beside the same pages with a thousand.

One server, one reader, one page after the other; both journals in the same run. What is aimed at: under 100 ms at the
median, and at most 1.5 times the small journal.
"""

import asyncio
import re
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import httpx

from relay.app import create_app
from relay.contract import encode
from relay.contract.examples import ANSWERS
from relay.journal import SqliteJournal
from relay.recipe import RecipeSet
from relay.relay import Relay
from relay.settings import Settings
from relay.web.render import MENU
from tests.servers import running

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk_bench_key"
SMALL, LARGE = 1_000, 1_000_000
A_YEAR = 365 * 86400.0
EVENTS = 5
"""Lines of history of each task."""
BATCH = 15
"""Tasks in a batch. Of work that is not over there is the same in both journals: a hundred running tasks and as many
dead letters."""
MORE = [
    "/tasks?show=failed",
    "/tasks?show=running",
    "/tasks?before={middle}",
    "/tasks?batch={batch}",
    "/deliveries?show=all",
    "/deliveries?show=dead",
    "/deliveries?show=all&recipe=Keep",
]
"""Lists besides those of the menu."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)"
_TASK = "'task_' || printf('%032x', i)"
_AT = ":now - :year + i * (:year / :count)"
_FAILED = "i % 10 = 7"
_FILL = {
    "tasks": f"""
        INSERT INTO tasks (id, provider, workflow, status, request, created_at, updated_at, provider_id, row, observed,
            told_by, confirmed, revision, version, finished_at, polls, poll_failures, batch)
        SELECT {_TASK}, 'beatapi', 'music-video',
            CASE WHEN i % (:count / 100) = 3 THEN 'processing' WHEN {_FAILED} THEN 'failed' ELSE 'succeeded' END,
            :request, {_AT}, {_AT} + 60, 'task_at_beat_' || i, '{{"title": "Song number ' || i || '"}}', :observed,
            'poll', 1, 1, 3, CASE WHEN i % (:count / 100) = 3 THEN NULL ELSE {_AT} + 60 END, 4, 0,
            'batch_' || printf('%032x', i / {BATCH})
        FROM n""",
    "finishes": f"""
        INSERT INTO finishes SELECT {_TASK}, 1, 'evt_' || printf('%032x', i),
            CASE WHEN {_FAILED} THEN 'task.failed' ELSE 'task.succeeded' END, {_AT} + 60, :observed, 'poll' FROM n""",
    "history": f"""
        INSERT INTO history (task_id, at, kind, data)
        SELECT {_TASK}, {_AT} + k, CASE k WHEN 0 THEN 'task.accepted' WHEN 4 THEN 'task.finished' ELSE 'task.told' END,
            '{{"status": "processing", "was": "queued"}}'
        FROM n, (SELECT value AS k FROM json_each('[0, 1, 2, 3, 4]'))""",
    "deliveries": f"""
        INSERT INTO deliveries (id, task_id, revision, event_id, recipe, recipe_hash, step, use, connection, state,
            created_at, updated_at, blockers, fence, attempts, failures, outcome, error, lane)
        SELECT 'dlv_' || printf('%032x', i), {_TASK}, 1, 'evt_' || printf('%032x', i), 'Keep', 'h', 'tell', 'http',
            'hook', CASE WHEN i % (:count / 100) = 5 THEN 'dead' ELSE 'done' END,
            {_AT} + 60, {_AT} + 61, 0, 1, 1, 0, '{{}}',
            CASE WHEN i % (:count / 100) = 5 THEN 'the receiver answered 410: it is gone' END, 'hook'
        FROM n""",
    "batches": f"""
        INSERT INTO batches (id, client, name, sheet, digest, state, columns, created_at, started_at, finished_at,
            priority, tags)
        SELECT 'batch_' || printf('%032x', i), '', 'songs ' || i || '.xlsx', '', 'd', 'completed', '{{}}', {_AT}, {_AT},
            {_AT} + 3600, 0, '[]'
        FROM n WHERE i < :count / {BATCH} + 1""",
    "receipts": f"""
        INSERT INTO receipts (id, received_at, verdict, status, reason, event_id, event, provider_task_id, headers,
            body, seen)
        SELECT 'rcv_' || printf('%032x', i), {_AT} + 60, 'accepted', 200, '', 'evt_' || i, 'task.succeeded',
            'task_at_beat_' || i, '{{}}', x'7b7d', 1
        FROM n""",
}


def run(*, quick: bool) -> None:
    large, rounds = (20_000, 3) if quick else (LARGE, 15)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        small_times = _measure(Path(folder) / "small", SMALL, rounds)
        large_times = _measure(Path(folder) / "large", large, rounds)
    print(f"\npages: {SMALL:,} tasks, then {large:,} tasks and {large * EVENTS:,} lines of history; median of {rounds}")
    for path, few in small_times.items():
        many = large_times[path]
        print(f"  {path:44} {few * 1000:6.1f} ms {many * 1000:8.1f} ms   ratio {many / few:5.2f}")
    worst = max(large_times[path] / few for path, few in small_times.items())
    slowest = max(large_times.values()) * 1000
    print(f"  slowest {slowest:.0f} ms (aim: under 100), worst ratio {worst:.2f} (aim: at most 1.5)")


def _measure(data: Path, count: int, rounds: int) -> dict[str, float]:
    data.mkdir()
    began = time.perf_counter()
    _fill(data / "journal.db", count)
    print(f"  made {count:,} tasks in {time.perf_counter() - began:.0f} s", flush=True)
    settings = Settings(
        beatapi_base_url="http://127.0.0.1:9", beatapi_api_key=KEY, data=data, retention_days=36500, port=0
    )
    middle, batch = f"task_{count // 2:032x}", f"batch_{count // BATCH // 2:032x}"
    paths = [path for path, _, _ in MENU if not path.startswith("/docs")] + MORE
    times: dict[str, list[float]] = {path: [] for path in paths}
    with running(create_app(Relay(settings, RecipeSet()))) as url, closing(_reader(url)) as reader:
        for _ in range(rounds + 1):
            for path in paths:
                began = time.perf_counter()
                answer = reader.get(path.format(middle=middle, batch=batch))
                times[path].append(time.perf_counter() - began)
                if answer.status_code != 200 or (path == "/tasks" and not re.search("Song number", answer.text)):
                    raise RuntimeError(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    return {path: median(each[1:]) for path, each in times.items()}


def _fill(file: Path, count: int) -> None:
    asyncio.run(SqliteJournal.open(file).close())
    values = {
        "count": count,
        "now": time.time(),
        "year": A_YEAR,
        "request": '{"prompt": "Neon rooftop", "audio_url": "https://media.example.com/song.mp3"}',
        "observed": encode(ANSWERS["getTask"]).decode(),
    }
    connection = sqlite3.connect(file)
    with connection:
        for statement in _FILL.values():
            connection.execute(_NUMBERS + statement, values)
    connection.close()


def _reader(url: str) -> httpx.Client:
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin", "origin": url}
    client = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=120)
    if client.post("/sign-in", data={"password": KEY}).status_code != 303:
        raise RuntimeError("the key did not open the dashboard")
    return client
