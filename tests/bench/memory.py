"""How much memory it costs to deliver a large file, measured in a process of its own.

What counts is how much higher that process' peak is than after a small file.
"""

import asyncio
import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.media import Endless, a_delivery


class Upload(msgspec.Struct):
    """Which connector (``module:Class``) sends a file of that many mebibytes; ``{name}`` in ``with`` is the file's."""

    connector: str
    with_: dict[str, Any]
    connection: dict[str, str]
    mebibytes: int


class Measured(msgspec.Struct):
    """Mebibytes of memory on top, and seconds for the whole file."""

    extra_mib: float
    seconds: float


def measure(upload: Upload) -> Measured:
    """Upload a file of that size in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.memory", msgspec.json.encode(upload).decode()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return msgspec.json.decode(done.stdout, type=Measured)


def show(title: str, mebibytes: int, measured: Measured) -> None:
    """Print what was measured."""
    print(f"\n{title}")
    print(f"  extra memory   {measured.extra_mib:6.1f} MiB   (aim: less than 64)")
    print(f"  pace           {mebibytes / measured.seconds:6.1f} MiB/s")


async def _deliver(upload: Upload, media: Endless, name: str) -> None:
    module, _, kind = upload.connector.partition(":")
    connector = getattr(importlib.import_module(module), kind)()
    filled = {key: value.replace("{name}", name) for key, value in upload.with_.items()}
    async with httpx.AsyncClient(trust_env=False) as client:
        delivery = a_delivery(client, upload.connection, key=f"dlv_{name}", media=media, at=int(time.time()))
        await connector.deliver(msgspec.convert(filled, connector.Config), delivery)


def _peak_mib() -> float:
    """The kernel's own mark; getrusage would count what the parent had at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main(upload: Upload) -> None:
    asyncio.run(_deliver(upload, Endless(1), "small.mp4"))
    large = Endless(upload.mebibytes)
    large.sha256  # noqa: B018 - worked out before the time counts
    before, started = _peak_mib(), time.monotonic()
    asyncio.run(_deliver(upload, large, "large.mp4"))
    measured = Measured(_peak_mib() - before, time.monotonic() - started)
    print(msgspec.json.encode(measured).decode())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Upload))
