"""Accounts: each key is one, with its own balance, tasks, endpoints, polls and ledger."""

import math
import secrets
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from relay.clock import Clock
from relay.contract import OPEN, Account, Concurrency, WebhookEndpoint, WorkflowUsage
from relay.contract.account import RealtimeUsage

from .errors import Refusal
from .pricing import price
from .settings import SandboxSettings
from .task import SandboxTask

if TYPE_CHECKING:
    from .realtime import Session

PERIODS = ("24h", "7d", "30d", "all")
"""What a usage report of the current contract may be asked to cover."""


class Charge(Struct):
    """One line of the ledger. ``credits`` is negative for a refund."""

    task_id: str
    operation: str
    credits: Decimal
    at: float


class CurrentAccount(Account):
    """What the current contract reports on top."""

    by_capability: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    by_model: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    by_api_key: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class SandboxAccount:
    """What one key owns."""

    def __init__(self, settings: SandboxSettings, clock: Clock, key: str = "sk_sandbox_key") -> None:
        self.settings = settings
        self._key = key
        self._clock = clock
        self.balance = price(settings.balance, settings.contract)
        self.tasks: dict[str, SandboxTask] = {}
        self.endpoints: dict[str, WebhookEndpoint] = {}
        self.ledger: list[Charge] = []
        self.creates = 0
        self.peak_concurrency = 0
        self.refused: list[str] = []
        """The code of each refusal for want of a slot or of money."""
        self.idempotent: dict[str, Remembered] = {}
        self.sessions: dict[str, Session] = {}
        """Realtime sessions by the idempotency key that made each."""
        self._polls: deque[float] = deque()
        if settings.webhook_url:
            self.add_endpoint(settings.webhook_url, secret=settings.webhook_secret)

    def add_endpoint(self, url: str, description: str = "", secret: str = "") -> WebhookEndpoint:
        """A new endpoint with its whole secret."""
        now = int(self._clock.now())
        endpoint = WebhookEndpoint(
            id=self._clock.new_id("wh"),
            url=url,
            secret=secret or "whsec_" + secrets.token_hex(24),
            created_at=now,
            updated_at=now,
            description=description,
        )
        self.endpoints[endpoint.id] = endpoint
        return endpoint

    @property
    def active(self) -> int:
        """Tasks that use processing resources."""
        return sum(task.status in OPEN for task in self.tasks.values())

    def reserve(self, cost: Decimal) -> None:
        """Refuse what there is no slot or no balance for."""
        if self.active >= self.settings.concurrency:
            message = f"{self.active} tasks are running; the limit of this account is {self.settings.concurrency}."
            after = max(1, round(30 / self.settings.speed))
            self.refused.append("user_concurrency_exceeded")
            raise Refusal(429, "user_concurrency_exceeded", message, after=after)
        if self.balance <= 0 or self.balance < cost:
            self.refused.append("insufficient_credits")
            raise Refusal(402, "insufficient_credits", f"This costs {cost} credits; the balance is {self.balance}.")

    def charge(self, task: SandboxTask, operation: str, cost: Decimal) -> None:
        """Take ``cost`` for an operation that was accepted."""
        self.balance -= cost
        self.ledger.append(Charge(task.id, operation, cost, self._clock.now()))
        self.peak_concurrency = max(self.peak_concurrency, self.active)

    def refund(self, task: SandboxTask, operation: str, cost: Decimal) -> None:
        """Give ``cost`` back."""
        self.balance += cost
        self.ledger.append(Charge(task.id, operation, -cost, self._clock.now()))

    def count_poll(self) -> None:
        """Refuse polls beyond the limit in any 60 seconds."""
        now = self._clock.now()
        while self._polls and self._polls[0] <= now - 60:
            self._polls.popleft()
        if len(self._polls) >= self.settings.poll_limit:
            after = max(1, math.ceil(self._polls[0] + 60 - now))
            raise Refusal(429, "rate_limit_exceeded", "Too many polls; poll every 5-10 seconds.", after=after)
        self._polls.append(now)

    def usage(self) -> Account:
        """``GET /v1/usage``. It always covers everything, and says so: no sandbox is old enough for less."""
        tasks = list(self.tasks.values())
        account = CurrentAccount(
            credit_balance=self.balance,
            total_tasks=len(tasks),
            credits_settled=_settled(tasks),
            credits_refunded=sum((task.usage.credits_refunded for task in tasks), Decimal(0)),
            concurrency=Concurrency(self.settings.concurrency, self.active),
            by_workflow=[WorkflowUsage(name, len(mine), _settled(mine)) for name, mine in _by_workflow(tasks)],
        )
        if self.sessions:
            active = sum(session.shown.status == "ready" for session in self.sessions.values())
            account.realtime = RealtimeUsage(len(self.sessions), Decimal(0), active)
        if self.settings.contract == "launch":
            return Account(**{name: getattr(account, name) for name in Account.__struct_fields__})
        account.period = "all"
        account.by_capability = [
            {"task_kind": "workflow", "capability_id": name, "tasks": len(mine), "credits_settled": _settled(mine)}
            for name, mine in _by_workflow(tasks)
        ]
        key = {"api_key_id": "key_sandbox", "title": "Sandbox", "key_prefix": self._key[:5]}
        account.by_api_key = [{**key, "tasks": len(tasks), "credits_settled": account.credits_settled}]
        return account


class Remembered(Struct):
    """What an idempotency key was used for. ``task_id`` is empty while the first request is being worked on."""

    body: bytes
    task_id: str = ""


def _by_workflow(tasks: list[SandboxTask]) -> list[tuple[str, list[SandboxTask]]]:
    names = sorted({task.workflow for task in tasks})
    return [(name, [task for task in tasks if task.workflow == name]) for name in names]


def _settled(tasks: list[SandboxTask]) -> Decimal:
    return sum((task.usage.credits_settled for task in tasks), Decimal(0))
