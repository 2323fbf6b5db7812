"""Finished files for connectors under test: in memory, or made up while they are read."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

import httpx

from connectors.base import Delivery, Notes
from tests.notes import MemoryNotes


class Bytes:
    """A file in memory; a ``torn`` one has lost its last byte since it was stored."""

    mime_type = "video/mp4"

    def __init__(self, content: bytes, *, name: str = "v.mp4", torn: bool = False) -> None:
        self.content, self.name, self.torn = content, name, torn
        self.size, self.sha256 = len(content), hashlib.sha256(content).hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            whole = self.content[:-1] if self.torn else self.content
            for start in range(0, len(whole), 65_536):
                yield whole[start : start + 65_536]

        yield chunks()


class Endless:
    """A file of any size that takes up no memory: 1 MiB blocks, each different."""

    name, mime_type = "large.mp4", "video/mp4"

    def __init__(self, mebibytes: int) -> None:
        self.mebibytes = mebibytes
        self.size = mebibytes << 20

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for number in range(self.mebibytes):
            digest.update(_block(number))
        return digest.hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            for number in range(self.mebibytes):
                yield _block(number)

        yield chunks()


def _block(number: int) -> bytes:
    return number.to_bytes(8, "big") * 131_072


def a_delivery(http: httpx.AsyncClient, connection: dict[str, str], **more: Any) -> Delivery:
    """A delivery of one task's finish; ``more`` replaces what a test cares about."""
    notes: Notes = MemoryNotes()
    event = {"id": "evt_1", "type": "task.succeeded", "task": {"id": "task_1"}}
    known: dict[str, Any] = {"key": "dlv_1", "attempt": 1, "at": 1_784_188_800, "event": event, "http": http}
    return Delivery(**{**known, "connection": connection, "notes": notes, "task_notes": MemoryNotes(), **more})
