"""Durable verified ingest, beside a handler that does nothing and beside one commit per request.

Same machine, same run, same server (uvicorn), same 2 KB signed POSTs over 64 connections. The yardsticks are
taken before and after, and averaged, so that a machine that slows down meanwhile does not flatter anybody.
"""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from tests.bench.load import Measured, drive

SECRET = "whsec_bench_secret"
ROOT = Path(__file__).resolve().parents[2]


class Result(NamedTuple):
    """One server's figures, with its processor time per request in microseconds."""

    measured: Measured
    cpu_us: float


def run(*, quick: bool) -> None:
    count = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        idle = [_measure("nothing", folder, count)]
        each = _measure("one-commit-each", folder, count // 4)
        ours = [_measure("relay", folder, count), _measure("relay", folder, count)]
        idle.append(_measure("nothing", folder, count))
    floor = mean(result.measured.per_second for result in idle)
    rate = mean(result.measured.per_second for result in ours)
    print("\ningest: 2 KB signed POSTs, 64 connections, uvicorn, verified and durable before the 2xx")
    _line("a Litestar handler that does nothing", idle)
    _line("the relay, group commit", ours)
    _line("the relay, one commit per request", [each])
    print(f"  ratio to the handler that does nothing   {rate / floor:5.2f}   (aim: at least 0.70)")
    print(f"  ratio to one commit per request          {rate / each.measured.per_second:5.2f}")


def _line(name: str, results: list[Result]) -> None:
    per_second = mean(result.measured.per_second for result in results)
    cpu = mean(result.cpu_us for result in results)
    p99 = mean(result.measured.p99_ms for result in results)
    print(f"  {name:40} {per_second:8.0f}/s   {cpu:5.0f} us CPU per request   p99 {p99:5.1f} ms")


def _measure(kind: str, folder: str, count: int) -> Result:
    with _server(kind, folder) as (port, pid):
        drive(port, _requests(500, kind == "nothing"))
        requests = _requests(count, kind == "nothing")
        before = _cpu_seconds(pid)
        measured = drive(port, requests)
        cpu = (_cpu_seconds(pid) - before) / count * 1e6
    if set(measured.statuses) != {200}:
        raise RuntimeError(f"{kind} answered {measured.statuses}")
    return Result(measured, cpu)


@contextmanager
def _server(kind: str, folder: str) -> Iterator[tuple[int, int]]:
    data = tempfile.mkdtemp(dir=folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.servers", kind, data], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _requests(count: int, nothing: bool) -> list[bytes]:
    path = b"/nothing" if nothing else b"/webhooks/beatapi"
    stamp = str(int(time.time()))
    filler = "x" * 1500
    made: list[bytes] = []
    for number in range(count):
        task = {"id": f"task_{number}", "status": "succeeded", "prompt": filler, "object": "task"}
        event = {"id": f"evt_{stamp}_{os.urandom(6).hex()}", "event": "task.succeeded", "created_at": 1, "data": task}
        body = json.dumps(event).encode()
        signature = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        head = (
            b"POST " + path + b" HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"user-agent: bench\r\nx-beatapi-event: task.succeeded\r\n"
            + f"x-beatapi-timestamp: {stamp}\r\nx-beatapi-signature: {signature}\r\n".encode()
            + f"content-length: {len(body)}\r\n\r\n".encode()
        )
        made.append(head + body)
    return made


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
