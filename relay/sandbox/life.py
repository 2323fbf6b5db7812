"""The life of a task: queued, processing, and then whatever the request, the seed and the faults make of it."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from msgspec import UnsetType
from msgspec.structs import replace

from relay.clock import Clock
from relay.contract import ACTIONABLE, Media, Shot, Status

from .account import SandboxAccount
from .errors import Refusal
from .faults import Dice
from .pricing import compose_price, edit_credits, price
from .settings import SandboxSettings
from .task import SandboxTask
from .webhooks import WebhookSender

QUEUED_SECONDS, PROCESSING_SECONDS = (2.0, 6.0), (40.0, 90.0)
EDITING_SECONDS, COMPOSING_SECONDS = (10.0, 20.0), (10.0, 20.0)
TIMEOUT_SECONDS = 600.0
SHOT_SECONDS = 5
ODD_STATUS = "polishing"
"""A status that no contract names."""
TIMEOUT_SHARE = 0.25
"""Of the tasks that fail by chance, those that say they took too long."""
WHY_FAILED = {
    "processing_failed": "The sandbox was told to let this task fail.",
    "processing_timeout": "The sandbox was told to let this task take too long.",
}


def shot_lengths(seconds: int) -> list[int]:
    """Five seconds each; the last one takes what is left over. ``17`` → ``[5, 5, 7]``."""
    count = max(1, seconds // SHOT_SECONDS)
    return [SHOT_SECONDS] * (count - 1) + [seconds - SHOT_SECONDS * (count - 1)]


class Lives:
    """Keeps all tasks moving in the background."""

    def __init__(self, settings: SandboxSettings, clock: Clock, dice: Dice, sender: WebhookSender) -> None:
        self._settings = settings
        self._clock = clock
        self._dice = dice
        self._sender = sender
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, account: SandboxAccount, task: SandboxTask) -> None:
        """Start the life of an accepted task."""
        self._spawn(self._life(account, task))

    def edit(self, account: SandboxAccount, task: SandboxTask, shot: Shot, request: dict[str, Any]) -> None:
        """Edit one shot; charged by its length."""
        contract = self._settings.contract
        length = SHOT_SECONDS if isinstance(shot.duration_seconds, UnsetType) else int(shot.duration_seconds)
        cost = price(edit_credits(contract, task.request, request, length), contract)
        self._operate(account, task, "edit", cost, Status.EDITING)
        self._spawn(self._edit(task, shot, request))

    def compose(self, account: SandboxAccount, task: SandboxTask) -> None:
        """Compose the final video; a fixed charge."""
        self._operate(account, task, "compose", compose_price(self._settings.contract), Status.COMPOSING)
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
        await self._pass(task, QUEUED_SECONDS)
        self._move(task, Status.PROCESSING)
        if task.workflow == "music-video":
            task.shots = [self._shot(task, index, length) for index, length in enumerate(shot_lengths(task.seconds))]
        if "stuck" in task.faults:
            return
        if "unknown-status" in task.faults:
            task.shown_status = ODD_STATUS
        if "timeout" in task.faults:
            await self._clock.sleep(TIMEOUT_SECONDS / self._settings.speed)
            await self._fail(account, task, "processing_timeout")
            return
        await self._pass(task, PROCESSING_SECONDS)
        if "backwards" in task.faults:
            await self._backwards(task)
        task.shown_status = None
        chance = self._dice.of(f"fail:{task.number}")
        if "fail" in task.faults or chance.random() < self._settings.faults.fail_rate:
            rare = "fail" not in task.faults and chance.random() < TIMEOUT_SHARE
            await self._fail(account, task, "processing_timeout" if rare else "processing_failed")
        else:
            await self._finish(account, task)

    async def _finish(self, account: SandboxAccount, task: SandboxTask) -> None:
        task.usage = replace(task.usage, credits_settled=task.usage.credits_charged)
        for shot in task.shots:
            shot.status, shot.updated_at = Status.SUCCEEDED, int(self._clock.now())
        if task.manual:
            self._move(task, Status.STORYBOARD_READY)
        else:
            await self._succeed(account, task)

    async def _edit(self, task: SandboxTask, shot: Shot, request: dict[str, Any]) -> None:
        back = Status.SUCCEEDED if task.output_url else Status.REQUIRES_ACTION
        shot.status = Status.EDITING
        await self._pass(task, EDITING_SECONDS)
        shot.prompt, shot.updated_at, shot.status = request["prompt"], int(self._clock.now()), Status.SUCCEEDED
        if "duration" in request:
            shot.duration_seconds = Decimal(request["duration"])
        self.materialise(task, shot)
        self._move(task, back)

    async def _compose(self, account: SandboxAccount, task: SandboxTask) -> None:
        await self._pass(task, COMPOSING_SECONDS)
        if task.output_url:
            task.cut += 1
        await self._succeed(account, task)

    async def _succeed(self, account: SandboxAccount, task: SandboxTask) -> None:
        task.output_url = f"{self._settings.url}/outputs/{task.id}/0.{'png' if task.workflow == 'images' else 'mp4'}"
        task.completed_at = int(self._clock.now())
        self._move(task, Status.SUCCEEDED)
        await self._sender.announce(task, "task.succeeded", list(account.endpoints.values()))

    async def _backwards(self, task: SandboxTask) -> None:
        """Shows an earlier status once more, before it goes on."""
        self._move(task, Status.QUEUED)
        await self._pass(task, QUEUED_SECONDS)
        self._move(task, Status.PROCESSING)
        await self._pass(task, QUEUED_SECONDS)

    async def _fail(self, account: SandboxAccount, task: SandboxTask, code: str) -> None:
        task.error_code, task.error_message = code, WHY_FAILED[code]
        task.completed_at = int(self._clock.now())
        task.usage = replace(task.usage, credits_refunded=task.usage.credits_charged)
        account.refund(task, "create", task.usage.credits_charged)
        task.shown_status = None
        self._move(task, Status.FAILED)
        await self._sender.announce(task, "task.failed", list(account.endpoints.values()))

    def _shot(self, task: SandboxTask, index: int, length: int) -> Shot:
        now = int(self._clock.now())
        return Shot(
            id=self._clock.new_id("shot"),
            index=index,
            status=Status.PROCESSING,
            created_at=now,
            updated_at=now,
            duration_seconds=Decimal(length),
            prompt=task.request.get("prompt", ""),
        )

    def _move(self, task: SandboxTask, status: Status) -> None:
        task.status, task.updated_at = status, int(self._clock.now())

    async def _pass(self, task: SandboxTask, seconds: tuple[float, float]) -> None:
        await self._clock.sleep(self._dice.of(f"time:{task.number}").uniform(*seconds) / self._settings.speed)

    def _spawn(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
