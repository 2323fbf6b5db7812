"""Accounts: each key is one, with its own balance, tasks, endpoints, polls and ledger."""

import secrets
from collections import deque
from decimal import Decimal

from msgspec import Struct

from relay.clock import Clock
from relay.contract import OPEN, Account, Concurrency, WebhookEndpoint, WorkflowUsage

from .errors import Refusal
from .pricing import price
from .settings import SandboxSettings
from .task import SandboxTask


class Charge(Struct):
    """One line of the ledger. ``credits`` is negative for a refund."""

    task_id: str
    operation: str
    credits: Decimal
    at: float


class SandboxAccount:
    """What one key owns."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self.balance = price(settings.balance, settings.contract)
        self.tasks: dict[str, SandboxTask] = {}
        self.endpoints: dict[str, WebhookEndpoint] = {}
        self.ledger: list[Charge] = []
        self.creates = 0
        self.peak_concurrency = 0
        self.idempotent: dict[str, Remembered] = {}
        self._polls: deque[float] = deque()
        if settings.webhook_url:
            self.add_endpoint(settings.webhook_url, secret=settings.webhook_secret)

    def add_endpoint(self, url: str, description: str = "", secret: str = "") -> WebhookEndpoint:
        """A new endpoint with its whole secret."""
        now = int(self._clock.now())
        endpoint = WebhookEndpoint(
            id=self._clock.new_id("wh"),
            url=url,
            secret=secret or "whsec_" + secrets.token_urlsafe(24),
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
            raise Refusal(429, "user_concurrency_exceeded", message, after=after)
        if self.balance <= 0 or self.balance < cost:
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
            after = max(1, round(self._polls[0] + 60 - now))
            raise Refusal(429, "rate_limit_exceeded", "Too many polls; poll every 5-10 seconds.", after=after)
        self._polls.append(now)

    def usage(self) -> Account:
        """``GET /v1/usage``."""
        usages = [task.usage for task in self.tasks.values()]
        account = Account(
            credit_balance=self.balance,
            total_tasks=len(self.tasks),
            credits_settled=sum((usage.credits_settled for usage in usages), Decimal(0)),
            credits_refunded=sum((usage.credits_refunded for usage in usages), Decimal(0)),
            concurrency=Concurrency(self.settings.concurrency, self.active),
            by_workflow=[_of_workflow(name, self.tasks) for name in sorted({t.workflow for t in self.tasks.values()})],
        )
        if self.settings.contract == "current":
            account.period = "all"
        return account


class Remembered(Struct):
    """What an idempotency key was used for. ``task_id`` is empty while the first request is being worked on."""

    body: bytes
    task_id: str = ""


def _of_workflow(name: str, tasks: dict[str, SandboxTask]) -> WorkflowUsage:
    mine = [task for task in tasks.values() if task.workflow == name]
    return WorkflowUsage(name, len(mine), sum((task.usage.credits_settled for task in mine), Decimal(0)))
