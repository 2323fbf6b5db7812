"""Deliveries to Google's fakes, for the tests of both connectors."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.base import Connector, Delivery, Outcome
from tests.fakes.google_wire import KEY_FILE
from tests.notes import MemoryNotes

NOW = 1_800_000_000.0


@dataclass
class Video:
    """A file in memory that counts how often it was opened."""

    content: bytes
    torn: bool = False
    opened: int = 0
    name: str = "task_1.mp4"
    mime_type: str = "video/mp4"

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        self.opened += 1
        whole = self.content[:-1] if self.torn else self.content

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(whole), 65_536):
                yield whole[start : start + 65_536]

        yield chunks()


def robot(url: str, **more: str) -> dict[str, str]:
    """A connection by service account."""
    return {"service_account": KEY_FILE, "api_url": url, "token_url": f"{url}/token", **more}


def person(url: str, **more: str) -> dict[str, str]:
    """A connection by a person's consent."""
    oauth = {"client_id": "client", "client_secret": "client-secret", "refresh_token": "1//refresh"}
    return {**oauth, "api_url": url, "token_url": f"{url}/token", **more}


async def deliver(
    connector: Connector,
    config: Any,
    connection: Mapping[str, str],
    media: Video | None = None,
    notes: MemoryNotes | None = None,
    key: str = "dlv_1",
) -> Outcome:
    notes = notes or MemoryNotes()
    event = {"id": "evt_1", "task": {"id": "task_1"}}
    async with httpx.AsyncClient(trust_env=False) as client:
        delivery = Delivery(
            key=key,
            attempt=1,
            at=int(NOW),
            event=event,
            connection=connection,
            http=client,
            notes=notes,
            task_notes=MemoryNotes(),
            media=media,
        )
        return await connector.deliver(config, delivery)
