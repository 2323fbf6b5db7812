"""``s3``: how much memory a large file costs, and how fast it goes, beside the same server's own pace.

The upload runs in a process of its own; what counts is how much higher its peak is than after a small file.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from connectors.s3 import S3, S3Config
from connectors.s3.settings import read_connection
from connectors.s3.storage import Learnt, Storage
from tests.media import Endless, a_delivery
from tests.storages import KEY, SECRET, ceph, lacking_for_ceph, rclone


class Measured(msgspec.Struct):
    """Mebibytes of memory on top, and seconds for the whole file."""

    extra_mib: float
    seconds: float


def run(*, quick: bool) -> None:
    size = 128 if quick else 1024
    server, name = (rclone, "rclone") if lacking_for_ceph() else (ceph, "Ceph")
    with server() as url:
        connection = {"endpoint": url, "bucket": "bench", "access_key_id": KEY, "secret_access_key": SECRET}
        asyncio.run(_make_bucket(connection))
        measured = measure(connection, size)
    print(f"\ns3: a file of {size} MiB into a bucket of {name} on this machine, in parts")
    print(f"  extra memory   {measured.extra_mib:6.1f} MiB   (aim: less than 64)")
    print(f"  pace           {size / measured.seconds:6.1f} MiB/s")


def measure(connection: dict[str, str], mebibytes: int) -> Measured:
    """Upload a file of that size in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.s3", msgspec.json.encode(connection).decode(), str(mebibytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout, type=Measured)


async def _make_bucket(connection: dict[str, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await Storage(read_connection(connection), client, time.time, Learnt()).request("PUT", "")
    assert answer.ok, answer


async def _deliver(connection: dict[str, str], media: Any, key: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        await S3().deliver(S3Config(key=key), a_delivery(client, connection, media=media, at=int(time.time())))


def _peak_mib() -> float:
    """The kernel's own mark; getrusage would count what the parent had at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(connection: dict[str, str], mebibytes: int) -> None:
    asyncio.run(_deliver(connection, Endless(1), "small.mp4"))
    large = Endless(mebibytes)
    large.sha256  # noqa: B018 - worked out before the time counts
    before, started = _peak_mib(), time.monotonic()
    asyncio.run(_deliver(connection, large, "large.mp4"))
    measured = Measured(_peak_mib() - before, time.monotonic() - started)
    print(msgspec.json.encode(measured).decode())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1]), int(sys.argv[2]))
