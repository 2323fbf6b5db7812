"""Everything a running sandbox holds."""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpx
from msgspec import Struct

from relay import __version__
from relay.clock import Clock
from relay.contract import TaskUsage

from .account import Remembered, SandboxAccount
from .errors import Refusal
from .faults import Dice
from .files import Stored
from .life import Lives
from .pricing import FLAT, create_credits, price
from .settings import SandboxSettings
from .task import SandboxTask
from .video import make_video
from .webhooks import WebhookSender

UNKNOWN_SECONDS = 15
"""Billable duration of audio that cannot be fetched from here, unless the request gives one."""


class Ledger(Struct):
    """What tests ask: who was charged for what, and how much ran at once."""

    charges: list[dict[str, Any]]
    creates: int
    peak_concurrency: int
    refused: dict[str, int]
    webhooks: list[dict[str, Any]]


class World:
    """Accounts, files and everything that moves."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.dice = Dice(settings.seed)
        self.client = httpx.AsyncClient(trust_env=False, headers={"user-agent": f"beatrelay-sandbox/{__version__}"})
        self.sender = WebhookSender(settings, clock, self.dice, self.client)
        self.lives = Lives(settings, clock, self.dice, self.sender)
        self.accounts: dict[str, SandboxAccount] = {}
        self.files: dict[str, Stored] = {}
        self._videos: dict[str, asyncio.Task[bytes]] = {}

    def account(self, authorization: str | None) -> SandboxAccount:
        """The account of a bearer key, or a refusal."""
        scheme, _, key = (authorization or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            code = "missing_api_key" if self.settings.contract == "current" else "unauthorized"
            raise Refusal(401, code, "Missing API key: send `Authorization: Bearer <key>`.")
        known = self.settings.keys
        if (known and key not in known) or not (key.startswith("sk") and len(key) >= 8):
            code = "invalid_api_key" if self.settings.contract == "current" else "unauthorized"
            raise Refusal(401, code, "Invalid API key: the sandbox takes any that starts with sk and has 8 characters.")
        if key not in self.accounts:
            self.accounts[key] = SandboxAccount(self.settings, self.clock, key)
        return self.accounts[key]

    def create(
        self, account: SandboxAccount, workflow: str, request: dict[str, Any], faults: dict[str, float], request_id: str
    ) -> SandboxTask:
        """Accept a task: reserve, charge, begin."""
        seconds = self._billable(workflow, request)
        cost = price(create_credits(workflow, request, seconds), self.settings.contract)
        account.reserve(cost)
        now = int(self.clock.now())
        usage = TaskUsage(credits_reserved=cost, credits_charged=cost)
        if seconds:
            usage.billable_duration_seconds = price(seconds, "launch")
        task = SandboxTask(
            id=self.clock.new_id("task"),
            workflow=workflow,
            request=request,
            created_at=now,
            updated_at=now,
            request_id=request_id,
            faults=faults,
            number=self._number(),
            seconds=seconds,
            usage=usage,
        )
        account.tasks[task.id] = task
        account.creates += 1
        account.charge(task, "create", cost)
        self.lives.begin(account, task)
        return task

    def replayed(self, account: SandboxAccount, key: str | None, body: bytes) -> SandboxTask | None:
        """The task that this key made before, if it did; refuses another body, and a first one still under way."""
        if not key or not self.settings.idempotent:
            return None
        if len(key) > 255:
            raise Refusal(400, "bad_request", "Idempotency-Key may have 255 characters.")
        before = account.idempotent.get(key)
        if before is None:
            account.idempotent[key] = Remembered(body)
            return None
        if before.body != body:
            raise Refusal(409, "idempotency_conflict", "This Idempotency-Key was used with another body.")
        if not before.task_id:
            raise Refusal(409, "idempotency_conflict", "The first request with this Idempotency-Key is still running.")
        return account.tasks[before.task_id]

    @contextmanager
    def accepting(self, account: SandboxAccount, key: str | None) -> Generator[Callable[[SandboxTask], None]]:
        """A request under way: call what this gives with the task that it made. A key that made none is free again."""
        made: list[SandboxTask] = []
        try:
            yield made.append
        finally:
            if key and key in account.idempotent:
                if made:
                    account.idempotent[key].task_id = made[0].id
                else:
                    del account.idempotent[key]

    def uploads(self) -> dict[str, str]:
        """The MIME type of each URL that was uploaded here."""
        return {stored.file.url: stored.file.mime_type for stored in self.files.values()}

    def task(self, account: SandboxAccount, task_id: str) -> SandboxTask:
        """A task of this account, or 404."""
        if task_id not in account.tasks:
            raise Refusal(404, "not_found", f"There is no task {task_id[:80]} in this account.")
        return account.tasks[task_id]

    def any_task(self, task_id: str) -> SandboxTask:
        """A task of whichever account: outputs are public."""
        for account in self.accounts.values():
            if task_id in account.tasks:
                return account.tasks[task_id]
        raise Refusal(404, "not_found", "There is no such file.")

    async def video(self, task: SandboxTask, shot_id: str = "") -> bytes:
        """The finished video, made beside the loop, and once for all that look the same."""
        shot = task.shot(shot_id) if shot_id else None
        text = task.caption if shot is None else str(shot.prompt)
        seconds = 1.0 if shot_id else 4.0
        key = f"{task.aspect_ratio}/{seconds}/{text}"
        if key not in self._videos:
            work = asyncio.to_thread(make_video, text, task.aspect_ratio, seconds=seconds)
            self._videos[key] = asyncio.create_task(work)
        return await asyncio.shield(self._videos[key])

    def ledger(self, account: SandboxAccount | None = None) -> Ledger:
        """Of one account, or of all together."""
        accounts = self.accounts.values() if account is None else [account]
        tasks = {task_id for one in accounts for task_id in one.tasks}
        return Ledger(
            charges=[
                {"task_id": line.task_id, "operation": line.operation, "credits": line.credits, "at": line.at}
                for account in accounts
                for line in account.ledger
            ],
            creates=sum(account.creates for account in accounts),
            peak_concurrency=max((account.peak_concurrency for account in accounts), default=0),
            refused=dict(Counter(code for account in accounts for code in account.refused)),
            webhooks=[dict(sent._asdict()) for sent in self.sender.attempts if sent.task_id in tasks],
        )

    async def end(self) -> None:
        """Stop everything that moves."""
        await self.lives.end()
        await self.client.aclose()
        await asyncio.gather(*self._videos.values(), return_exceptions=True)  # a thread at work cannot be stopped

    def _number(self) -> int:
        return sum(account.creates for account in self.accounts.values())

    def _billable(self, workflow: str, request: dict[str, Any]) -> int:
        if workflow in FLAT:
            return 0
        if workflow == "ecommerce-video":
            return int(request["duration"])
        stored = self.files.get(str(request["audio_url"]).removeprefix(self.settings.url + "/"))
        detected = stored.file.audio_duration_seconds if stored else None
        if isinstance(detected, int | float):
            return round(detected)
        return int(request.get("duration", UNKNOWN_SECONDS))
