"""Sends webhooks as the contract says: signed, retried in its windows, and badly on demand."""

import asyncio
import hashlib
import hmac
from typing import NamedTuple

import httpx

from relay import __version__
from relay.clock import Clock
from relay.contract import WebhookEndpoint, WebhookEvent, encode

from .faults import Dice
from .settings import SandboxSettings
from .task import SandboxTask

RETRIES = {"launch": (60.0, 300.0, 900.0), "current": (60.0, 300.0)}
"""Seconds to wait before each repeat; after the last, never again."""
TIMEOUT = 10.0
STALE = 600
OVERTAKEN = 5.0
"""Most seconds that a webhook waits to be overtaken."""


class Sent(NamedTuple):
    """One attempt, for the ledger. ``status`` is 0 if there was no answer."""

    event_id: str
    task_id: str
    attempt: int
    status: int
    dropped: bool
    at: float


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Lowercase hex HMAC-SHA256 of ``timestamp.body``, keyed with the whole secret."""
    return hmac.new(secret.encode(), str(timestamp).encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookSender:
    """Delivers the events of all accounts. ``attempts`` is what was sent, or dropped on purpose."""

    def __init__(self, settings: SandboxSettings, clock: Clock, dice: Dice, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._clock = clock
        self._dice = dice
        self._client = client
        self._held: asyncio.Event | None = None
        self.attempts: list[Sent] = []

    async def announce(self, task: SandboxTask, event: str, endpoints: list[WebhookEndpoint]) -> None:
        """Tell every active endpoint that wants ``event``; returns when all are done with it."""
        shown = task.show(current=self._settings.contract == "current")
        wanted = [one for one in endpoints if one.status == "active" and event in one.events]
        copies = 2 if self._settings.faults.duplicate_webhooks or "duplicate-webhook" in task.faults else 1
        sendings = [
            self._deliver(
                task, event, encode(WebhookEvent(event_id, event, shown, int(self._clock.now()))), endpoint, event_id
            )
            for endpoint in wanted
            for event_id in [self._clock.new_id("evt")] * copies
        ]
        await asyncio.gather(*sendings)

    async def _deliver(
        self, task: SandboxTask, event: str, body: bytes, endpoint: WebhookEndpoint, event_id: str
    ) -> None:
        if "drop-webhook" in task.faults or self._dice.hits("drop", self._settings.faults.drop_webhooks):
            self.attempts.append(Sent(event_id, task.id, 1, 0, dropped=True, at=self._clock.now()))
            return
        if "late-webhook" in task.faults:
            await self._clock.sleep(task.faults["late-webhook"] / self._settings.speed)
        overtaken = await self._take_turn() if self._settings.faults.reorder else None
        first = int(self._clock.now())
        stale = STALE if self._settings.faults.stale_webhooks or "stale-webhook" in task.faults else 0
        waits = (*RETRIES[self._settings.contract], None)
        for attempt, wait in enumerate(waits, start=1):
            timestamp = (int(self._clock.now()) if self._settings.resign else first) - stale
            status = await self._post(endpoint, event, timestamp, body)
            self.attempts.append(Sent(event_id, task.id, attempt, status, dropped=False, at=self._clock.now()))
            if overtaken is not None:
                overtaken.set()
            if 200 <= status < 300 or wait is None:
                return
            await self._clock.sleep(wait / self._settings.speed)

    async def _post(self, endpoint: WebhookEndpoint, event: str, timestamp: int, body: bytes) -> int:
        headers = {
            "content-type": "application/json",
            "user-agent": f"beatrelay-sandbox/{__version__}",
            "x-beatapi-event": event,
            "x-beatapi-timestamp": str(timestamp),
            "x-beatapi-signature": sign(endpoint.secret, timestamp, body),
        }
        try:
            return (await self._client.post(endpoint.url, content=body, headers=headers, timeout=TIMEOUT)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return 0

    async def _take_turn(self) -> asyncio.Event | None:
        """Every second webhook waits for the next one. That one gets what to set once it has arrived."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        self._held = held = asyncio.Event()
        waiting = asyncio.ensure_future(held.wait())
        patience = asyncio.ensure_future(self._clock.sleep(OVERTAKEN / self._settings.speed))
        try:
            await asyncio.wait({waiting, patience}, return_when=asyncio.FIRST_COMPLETED)
            if self._held is held:
                self._held = None  # nobody came
            elif not held.is_set():
                await waiting  # somebody is on the way
        finally:
            waiting.cancel()
            patience.cancel()
        return None
