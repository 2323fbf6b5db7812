"""What a provider is: the contract turned into one vendor's calls and back.

Vendors differ in few points, and each is named here: whether a create may be repeated under the same key,
whether a webhook is news or only a hint, how often one may poll. No vendor's name appears outside its module.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from relay.contract import ErrorBody, Task, Unit
from relay.contract.files import FileRules


class Told(Struct):
    """The provider answered with a task: what it says, and its very bytes."""

    task: Task
    raw: str
    """The task as the provider wrote it (JSON), unknown fields and all."""
    unit: Unit = "credits"
    """What its amounts are counted in."""


class Refused(Struct):
    """The provider said no, for good: the same request would be refused again."""

    error: ErrorBody
    status: int


Lack = Literal["slot", "balance", "account", "turn"]
"""What a request waits for: a slot, money, anything else that holds for the whole account (a connection, a valid key,
a rate limit), or only its own turn: the same request is being worked on."""


class Busy(Struct):
    """Surely not accepted, but may be later: no slot, no balance, no connection, or our key is not valid."""

    reason: str
    code: str
    after: float | None = None
    """Seconds the provider asks us to wait."""
    lack: Lack = "account"


class Standing(Struct):
    """How the account stands: what decides whether more may be sent, and what the books are compared with."""

    balance: Decimal
    unit: Unit
    limit: int
    """Tasks that may run at once."""
    active: int
    """Tasks that do, whoever asked for them."""
    tasks: int
    """How many there have ever been."""
    settled: Decimal
    refunded: Decimal


class Unclear(Struct):
    """Nobody knows whether it was accepted: the answer was lost or made no sense."""

    reason: str
    after: float | None = None


class Missing(Struct):
    """The provider does not know the task (or not for this key). Never taken for an end."""

    reason: str


class Passed(Struct):
    """An answer that is passed on as it is: status and JSON body. Status 503: there was none that makes sense, or it
    concerns the relay and not who asked it (its key, its share of requests); ``after`` says when to come back."""

    status: int
    body: bytes
    after: float | None = None


CreateAnswer = Told | Refused | Busy | Unclear
FetchAnswer = Told | Busy | Unclear | Missing


class Genuine(Struct):
    """A webhook that the provider signed. ``age`` is how many seconds old its timestamp is."""

    age: float


class Forged(Struct):
    """A webhook that we cannot take for the provider's; ``reason`` says why, without any secret."""

    reason: str


class Hint(Struct):
    """What a genuine webhook says: which event, of which task."""

    event_id: str
    event: str
    provider_id: str


class MalformedWebhook(Exception):
    """A genuine webhook whose body is not an event; the message says where."""


class Provider(Protocol):
    """One vendor of videos."""

    @property
    def name(self) -> str: ...

    @property
    def webhooks(self) -> Literal["news", "hint", "none"]:
        """What a webhook is worth: the truth, a reason to poll, or nothing."""
        ...

    @property
    def polls_per_minute(self) -> int:
        """The budget that all polls with our key share."""
        ...

    def use(self, *, api_key: str | None = None, secrets: Sequence[str] | None = None) -> None:
        """From now on work with this key, and believe webhooks signed with one of these secrets, the first of which
        signs. What is not given stays."""
        ...

    def with_key(self, api_key: str) -> "Provider":
        """The same vendor with another key: to try that key."""
        ...

    async def idempotent_create(self) -> bool:
        """Whether a create may be sent again with the same key without being charged twice."""
        ...

    async def create(self, workflow: str, body: str, key: str) -> CreateAnswer:
        """Ask for a video. ``body`` is sent as it is, ``key`` as the idempotency key."""
        ...

    async def operate(
        self, kind: Literal["edit", "compose"], provider_id: str, target: str, body: str, key: str
    ) -> CreateAnswer:
        """Edit the shot ``target``, or compose; answered with the task, whose status may not have moved yet."""
        ...

    async def shot_media(self, provider_id: str, target: str) -> Passed:
        """Give a shot a video of its own; free and repeatable."""
        ...

    async def usage(self) -> Passed:
        """The account, to be passed on: balance, concurrency, totals."""
        ...

    async def standing(self) -> Standing | Unclear:
        """The account, to be reckoned with."""
        ...

    async def workflows(self) -> Passed:
        """The kinds of video that can be asked for."""
        ...

    async def file_rules(self) -> FileRules:
        """Which files it takes."""
        ...

    async def upload(self, file: Path, name: str, mime: str) -> Passed:
        """Make a local file an input that has a public URL. A repeat makes a second one; neither costs anything."""
        ...

    async def pass_on(
        self, method: Literal["GET", "POST", "DELETE"], path: str, *, query: str = "", body: bytes = b"", key: str = ""
    ) -> Passed:
        """What the relay has no opinion on: asked as it is, answered as it is. ``key`` is an idempotency key."""
        ...

    async def fetch(self, provider_id: str) -> FetchAnswer:
        """Ask how a task stands: the truth."""
        ...

    def verify(self, headers: dict[str, str], body: bytes, now: float) -> Genuine | Forged:
        """Is this webhook theirs? Looks at raw bytes only. ``headers`` have lowercase names."""
        ...

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        """The headers with which it would sign a webhook now, for a test; none without a secret."""
        ...

    def read_webhook(self, body: bytes) -> Hint:
        """Whose task it speaks of, once verified. Raises :class:`MalformedWebhook`."""
        ...

    def told_by_webhook(self, body: bytes) -> Told:
        """All that it says of the task. Raises :class:`MalformedWebhook`."""
        ...
