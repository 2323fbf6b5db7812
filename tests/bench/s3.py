"""``s3``: how much memory a large file costs, and how fast it goes, to a genuine server on this machine."""

import asyncio
import time

import httpx

from connectors.s3.settings import read_connection
from connectors.s3.storage import Learnt, Storage
from tests.bench import memory
from tests.storages import KEY, SECRET, ceph, lacking_for_ceph, rclone


def run(*, quick: bool) -> None:
    size = 128 if quick else 1024
    server, name = (rclone, "rclone") if lacking_for_ceph() else (ceph, "Ceph")
    with server() as url:
        connection = {"endpoint": url, "bucket": "bench", "access_key_id": KEY, "secret_access_key": SECRET}
        asyncio.run(_make_bucket(connection))
        measured = measure(connection, size)
    memory.show(f"s3: a file of {size} MiB into a bucket of {name} on this machine, in parts", size, measured)


def measure(connection: dict[str, str], mebibytes: int) -> memory.Measured:
    """Upload a file of that size in a process of its own."""
    return memory.measure(memory.Upload("connectors.s3:S3", {"key": "{name}"}, connection, mebibytes))


async def _make_bucket(connection: dict[str, str]) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await Storage(read_connection(connection), client, time.time, Learnt()).request("PUT", "")
    assert answer.ok, answer
