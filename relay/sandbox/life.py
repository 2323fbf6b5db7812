"""The life of a task: queued, processing, and then whatever the request, the seed and the faults make of it."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from relay.clock import Clock
from relay.contract import ACTIONABLE, Media, Shot, Status

from .account import SandboxAccount
from .errors import Refusal
from .faults import Dice
from .pricing import compose_price, price, rate
from .settings import SandboxSettings
from .task import SandboxTask
from .webhooks import WebhookSender

QUEUED_SECONDS, PROCESSING_SECONDS = (2.0, 6.0), (40.0, 90.0)
EDITING_SECONDS, COMPOSING_SECONDS = (10.0, 20.0), (10.0, 20.0)
TIMEOUT_SECONDS = 600.0
SHOT_SECONDS = 5
ODD_STATUS = "polishing"
"""A status that no contract names."""


class Lives:
    """Keeps all tasks moving in the background."""

    def __init__(self, settings: SandboxSettings, clock: Clock, dice: Dice, sender: WebhookSender) -> None:
        self._settings = settings
        self._clock = clock
        self._dice = dice
        self._sender = sender
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, account: SandboxAccount, task: SandboxTask, seconds: int) -> None:
        """Start the life of an accepted task of ``seconds`` billable duration."""
        if task.workflow == "music-video":
            task.shots = [self._shot(task, index) for index in range(max(1, seconds // SHOT_SECONDS))]
        self._spawn(self._life(account, task))

    def edit(self, account: SandboxAccount, task: SandboxTask, shot: Shot, request: dict[str, Any]) -> None:
        """Edit one shot; charged by its length."""
        merged = {**task.request, **{name: request[name] for name in ("quality", "resolution") if name in request}}
        seconds = request.get("duration", SHOT_SECONDS)
        cost = price(rate("music-video", merged) * seconds, self._settings.contract)
        self._operate(account, task, "edit", cost, Status.EDITING)
        self._spawn(self._edit(task, shot, request["prompt"]))

    def compose(self, account: SandboxAccount, task: SandboxTask, shot_ids: list[str]) -> None:
        """Compose the final video of the given shots; a fixed charge."""
        self._operate(account, task, "compose", compose_price(self._settings.contract), Status.COMPOSING)
        task.composed = shot_ids
        self._spawn(self._compose(account, task))

    def materialise(self, task: SandboxTask, shot: Shot) -> Media:
        """Give a shot a video of its own; free and repeatable."""
        shot.media = Media("video", f"{self._settings.url}/outputs/{task.id}/shots/{shot.id}/current.mp4", "video/mp4")
        return shot.media

    async def end(self) -> None:
        """Stop everything."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _operate(self, account: SandboxAccount, task: SandboxTask, kind: str, cost: Decimal, status: Status) -> None:
        if task.status not in (*ACTIONABLE, Status.SUCCEEDED):
            raise Refusal(400, "bad_request", f"A task that is {task.status} cannot be changed now.")
        account.reserve(cost)
        usage = task.usage
        task.usage = replace(
            usage,
            credits_reserved=usage.credits_reserved + cost,
            credits_charged=usage.credits_charged + cost,
            credits_settled=usage.credits_settled + cost,
        )
        self._move(task, status)
        account.charge(task, kind, cost)

    async def _life(self, account: SandboxAccount, task: SandboxTask) -> None:
        await self._pass(QUEUED_SECONDS)
        self._move(task, Status.PROCESSING)
        if "stuck" in task.faults:
            return
        if "unknown-status" in task.faults:
            task.shown_status = ODD_STATUS
        if "timeout" in task.faults:
            await self._clock.sleep(TIMEOUT_SECONDS / self._settings.speed)
            await self._fail(account, task, "processing_timeout", "Processing did not end within 10 minutes.")
            return
        await self._pass(PROCESSING_SECONDS)
        if "fail" in task.faults or self._dice.hits("fail", self._settings.faults.fail_rate):
            await self._fail(account, task, "processing_failed", "No usable video output was produced.")
        elif task.manual:
            self._settle(task)
            self._move(task, Status.STORYBOARD_READY)
        else:
            self._settle(task)
            await self._succeed(account, task)

    async def _edit(self, task: SandboxTask, shot: Shot, prompt: str) -> None:
        back = Status.SUCCEEDED if task.output_url else Status.REQUIRES_ACTION
        await self._pass(EDITING_SECONDS)
        shot.prompt, shot.updated_at, shot.status = prompt, int(self._clock.now()), Status.SUCCEEDED
        self.materialise(task, shot)
        self._move(task, back)

    async def _compose(self, account: SandboxAccount, task: SandboxTask) -> None:
        await self._pass(COMPOSING_SECONDS)
        await self._succeed(account, task)

    async def _succeed(self, account: SandboxAccount, task: SandboxTask) -> None:
        if "backwards" in task.faults:
            await self._backwards(task)
        for shot in task.shots:
            shot.status = Status.SUCCEEDED
        task.output_url = f"{self._settings.url}/outputs/{task.id}/0.mp4"
        task.completed_at = int(self._clock.now())
        task.shown_status = None
        self._move(task, Status.SUCCEEDED)
        await self._sender.announce(task, "task.succeeded", list(account.endpoints.values()))

    async def _backwards(self, task: SandboxTask) -> None:
        """Shows an earlier status once more, before it goes on."""
        self._move(task, Status.QUEUED)
        await self._pass(QUEUED_SECONDS)
        self._move(task, Status.PROCESSING)

    async def _fail(self, account: SandboxAccount, task: SandboxTask, code: str, message: str) -> None:
        task.error_code, task.error_message = code, message
        task.completed_at = int(self._clock.now())
        task.usage = replace(task.usage, credits_refunded=task.usage.credits_charged)
        account.refund(task, "create", task.usage.credits_charged)
        task.shown_status = None
        self._move(task, Status.FAILED)
        await self._sender.announce(task, "task.failed", list(account.endpoints.values()))

    def _settle(self, task: SandboxTask) -> None:
        task.usage = replace(task.usage, credits_settled=task.usage.credits_charged)

    def _shot(self, task: SandboxTask, index: int) -> Shot:
        now = int(self._clock.now())
        return Shot(
            id=self._clock.new_id("shot"),
            index=index,
            created_at=now,
            updated_at=now,
            duration_seconds=Decimal(SHOT_SECONDS),
            prompt=task.request.get("prompt", ""),
        )

    def _move(self, task: SandboxTask, status: Status) -> None:
        task.status, task.updated_at = status, int(self._clock.now())

    async def _pass(self, seconds: tuple[float, float]) -> None:
        await self._clock.sleep(self._dice.of("time").uniform(*seconds) / self._settings.speed)

    def _spawn(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
