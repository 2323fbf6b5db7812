"""What the relay remembers, and the promises any engine that stores it must keep.

A journal has three rooms, each with its own small protocol: :class:`Receipts` (what came in), :class:`Tasks`
(the truth, and the operations that cost money) and :class:`Deliveries` (what must go out). Every write is one
transaction and is durable when the call returns. Work is handed out under a lease that expires, never on the
assumption that this is the only process; a result counts only with the fence it was handed out with.

Times are Unix seconds (float). JSON travels as text, exactly as it was stored.
"""

from typing import Any, Literal, Protocol

from msgspec import Struct, field

Verdict = Literal["accepted", "stale", "expired", "forged", "unparsable", "oversized"]
Source = Literal["create", "poll", "webhook"]
OperationKind = Literal["create", "edit", "compose"]
OperationState = Literal["queued", "sending", "accepted", "unconfirmed", "refused", "abandoned"]
DeliveryState = Literal["waiting", "due", "leased", "done", "dead"]


class JournalError(Exception):
    """The journal cannot do what was asked; the message says what to do."""


class Conflict(JournalError):
    """The task changed since it was read. Read it again and decide anew."""


class Superseded(Conflict):
    """The operation was handed to another worker since it was claimed."""


class Receipt(Struct, kw_only=True):
    """One inbound webhook, raw, with our verdict on it. Never holds a secret."""

    id: str
    received_at: float
    verdict: Verdict
    status: int
    """The HTTP status it was answered with."""
    reason: str = ""
    event_id: str | None = None
    event: str | None = None
    provider_task_id: str | None = None
    headers: str = "{}"
    body: bytes = b""
    seen: int = 1
    """How often this very event has come."""


class Received(Struct):
    """What became of a receipt: whether it is news, and whose task it woke (``None``: not one of ours)."""

    new: bool
    task_id: str | None


class TaskRow(Struct, kw_only=True):
    """What is known of one task. ``version`` rises with every change and guards against lost updates."""

    id: str
    provider: str
    workflow: str
    status: str
    request: str
    """The body of the create, as the client sent it (JSON)."""
    created_at: float
    updated_at: float
    provider_id: str | None = None
    row: str = "{}"
    """The spreadsheet row or other facts that the client attached, for recipes (JSON object)."""
    client_key: str | None = None
    """The client's own idempotency key."""
    observed: str | None = None
    """The provider's latest word on the task (JSON of the contract's Task), untouched."""
    told_by: Source | None = None
    confirmed: bool = True
    """False while the latest word is a webhook's that no poll has confirmed."""
    revision: int = 0
    """How often it has finished."""
    version: int = 0
    finished_at: float | None = None
    next_poll_at: float | None = None
    polls: int = 0
    poll_failures: int = 0
    """Polls that failed in a row."""
    watch_until: float | None = None
    """An operation was accepted a moment ago: poll closely until then, whatever the status says."""
    woken_at: float | None = None
    """When a webhook last asked for a poll."""
    hint_receipt: str | None = None
    """A webhook whose news no poll has yet confirmed or contradicted."""


class Operation(Struct, kw_only=True):
    """What costs money on a task. Its ``key`` is what the provider sees as ``Idempotency-Key``, always."""

    id: str
    task_id: str
    kind: OperationKind
    state: OperationState
    body: str
    created_at: float
    due_at: float | None
    target: str = ""
    """What of the task it is about: the provider's id of a shot, for an edit."""
    client_key: str | None = None
    """The client's own idempotency key, for an edit or a compose."""
    attempts: int = 0
    failures: int = 0
    fence: int = 0
    sent_at: float | None = None
    settled_at: float | None = None
    error: str | None = None

    @property
    def key(self) -> str:
        """One operation, one key: the id is globally unique and never used for anything else."""
        return self.id


class Entry(Struct, kw_only=True):
    """One line of a task's history: append-only, the support record."""

    task_id: str
    at: float
    kind: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    seq: int = 0


class Finish(Struct, kw_only=True):
    """A task reaching an end, or a point where a person must act, at a numbered revision."""

    task_id: str
    revision: int
    event_id: str
    event: str
    at: float
    observed: str
    """The provider's word at that moment (JSON): what the deliveries of this finish speak of."""
    told_by: Source


class DeliveryRow(Struct, kw_only=True):
    """One step of one recipe for one finish."""

    id: str
    task_id: str
    revision: int
    event_id: str
    recipe: str
    recipe_hash: str
    step: str
    use: str
    connection: str | None
    state: DeliveryState
    created_at: float
    updated_at: float
    due_at: float | None = None
    """When to try it; while it is being tried, when its lease runs out."""
    blockers: int = 0
    """Steps it still waits for."""
    fence: int = 0
    attempts: int = 0
    """Times handed out. More than ``failures`` when a process died over it."""
    failures: int = 0
    outcome: str | None = None
    error: str | None = None
    waits_for: list[str] = field(default_factory=list[str])
    """Ids of the deliveries it waits for; given when it is planned, not read back."""


class MediaRow(Struct, kw_only=True):
    """A finished file in our own store."""

    id: str
    task_id: str
    revision: int
    position: int
    source_url: str
    name: str
    path: str
    """Relative to the media store."""
    mime_type: str
    size: int
    sha256: str
    stored_at: float


class Change(Struct, kw_only=True):
    """Everything one piece of news causes: applied whole, or not at all."""

    task: TaskRow
    """As it shall be; its ``version`` is the one it was read with."""
    history: list[Entry] = field(default_factory=list[Entry])
    finish: Finish | None = None
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    operation: Operation | None = None
    """An operation this news settles; must still carry the fence it was claimed with."""


class Settlement(Struct, kw_only=True):
    """What became of one attempt: applied only if the delivery still carries ``delivery.fence``."""

    delivery: DeliveryRow
    """As it shall be."""
    history: list[Entry] = field(default_factory=list[Entry])
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    """New deliveries this causes, such as ``on_failure`` steps."""


class Pulse(Struct, kw_only=True):
    """How the line is moving: what ``/ready`` and the metrics read."""

    oldest_due_poll: float | None
    oldest_due_delivery: float | None
    oldest_due_operation: float | None
    open_tasks: int
    unconfirmed: int
    pending_deliveries: int
    dead_deliveries: int


class Receipts(Protocol):
    """What came in."""

    async def add(self, receipt: Receipt) -> Received:
        """Write a receipt down. An accepted or stale one makes its task's poll due now; an accepted one is
        also left on the task as a hint. The same event again changes nothing but its count."""
        ...

    async def get(self, receipt_id: str) -> Receipt | None: ...

    async def unclaimed(self, since: float) -> list[str]:
        """Provider ids that accepted webhooks named since then, and that none of our tasks has."""
        ...

    async def of_task(self, provider_task_id: str) -> list[Receipt]:
        """All that named this task, in order of arrival."""
        ...


class Tasks(Protocol):
    """The truth, and the operations that lead to it."""

    async def create(self, task: TaskRow, operation: Operation, entry: Entry) -> TaskRow:
        """Write a new task with its first operation. If ``client_key`` is known already, nothing is written
        and the task that has it is returned."""
        ...

    async def apply(self, change: Change) -> None:
        """Apply ``change``. Settling an operation picks up receipts that came before its task's provider id
        was known; a webhook that came since the task was read keeps its hint and its poll.
        Raises :class:`Conflict` if the task's version moved on, :class:`Superseded` if the operation's fence did."""
        ...

    async def note(self, entry: Entry) -> None:
        """Append one line of history that changes nothing else."""
        ...

    async def get(self, task_id: str) -> TaskRow | None: ...

    async def by_provider_id(self, provider_id: str) -> TaskRow | None: ...

    async def recent(self, limit: int, before: str | None = None) -> list[TaskRow]:
        """Newest first; ``before`` is the last id of the page before."""
        ...

    async def history(self, task_id: str) -> list[Entry]: ...

    async def finishes(self, task_id: str) -> list[Finish]: ...

    async def operations(self, task_id: str) -> list[Operation]: ...

    async def operate(self, operation: Operation, entry: Entry) -> Operation:
        """Write an edit or a compose down. If ``client_key`` is known already, nothing is written and the operation
        that has it is returned. Raises :class:`Conflict` while another operation on the task is under way."""
        ...

    async def unconfirmed(self) -> list[Operation]:
        """Operations that nobody knows the fate of, the oldest first."""
        ...

    async def claim_polls(self, now: float, limit: int, lease: float) -> list[TaskRow]:
        """Hand out tasks whose poll is due, the longest due first; each is due again after ``lease`` s."""
        ...

    async def polled(self, task: TaskRow, next_poll_at: float | None, *, failed: bool) -> None:
        """A poll told nothing new: set when to ask again. If a webhook came since ``task`` was claimed, the
        poll it asked for stands."""
        ...

    async def claim_operations(self, now: float, limit: int, lease: float) -> list[Operation]:
        """Hand out operations to send, in the ``state`` that they had *before* this claim: one that is already
        ``sending`` was begun by somebody whose lease ran out, so nobody knows whether it arrived."""
        ...

    async def next_poll(self) -> float | None:
        """When the next poll is due."""
        ...

    async def next_operation(self) -> float | None:
        """When the next operation is due to be sent."""
        ...


class Deliveries(Protocol):
    """What must go out."""

    async def claim(self, now: float, limit: int, lease: float) -> list[DeliveryRow]:
        """Hand out due deliveries, the longest due first, each with a new fence; the attempt is counted
        before it is made. Each is due again after ``lease`` seconds unless renewed or settled."""
        ...

    async def renew(self, delivery_id: str, fence: int, until: float) -> bool:
        """Lengthen a lease. False: it is no longer ours."""
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """Write down what became of an attempt and release the steps that waited for it. False: the lease was
        lost to another worker, and nothing was written."""
        ...

    async def get(self, delivery_id: str) -> DeliveryRow | None: ...

    async def of_task(self, task_id: str) -> list[DeliveryRow]: ...

    async def next_due(self) -> float | None: ...

    async def add_media(self, media: MediaRow) -> None:
        """Remember a stored file. The same (task, revision, position) again replaces the row."""
        ...

    async def media(self, media_id: str) -> MediaRow | None: ...

    async def media_of(self, task_id: str, revision: int) -> list[MediaRow]: ...

    async def keep_recipe(self, hash: str, name: str, file: str, source: str) -> None:
        """Keep a recipe's text for as long as a delivery may refer to it."""
        ...

    async def recipe(self, hash: str) -> tuple[str, str] | None:
        """``(file, source)`` of a recipe kept earlier."""
        ...


class Journal(Protocol):
    """The whole memory of a relay."""

    @property
    def receipts(self) -> Receipts: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def deliveries(self) -> Deliveries: ...

    async def pulse(self) -> Pulse: ...

    async def forget(self, before: float, limit: int) -> int:
        """Delete at most ``limit`` receipts and as many lines of history older than ``before``; returns how many.
        The history of a task with unfinished work stays whole, and so does the money."""
        ...

    def last_commit_at(self) -> float:
        """Unix seconds of the last durable commit (of opening, if there was none)."""
        ...

    @property
    def alive(self) -> bool:
        """False once nothing can be written any more."""
        ...

    async def close(self) -> None:
        """Write what is queued, then let go of the store."""
        ...
