"""What the journal keeps, as structs: one row each, or everything that one transaction writes.

Times are Unix seconds (float). JSON travels as text, exactly as it was stored.
"""

from typing import Any, Literal

from msgspec import Struct, field

from relay.contract import Unit

from .lanes import LaneNews
from .occasions import Occasion

Verdict = Literal["accepted", "stale", "expired", "forged", "unparsable", "oversized"]
Source = Literal["create", "poll", "webhook"]
OperationKind = Literal["create", "edit", "compose"]
DeliveryState = Literal["waiting", "due", "leased", "parked", "done", "dead", "unrouted", "dismissed"]
"""``parked``: its lane is paused. ``dismissed``: a dead letter that a person put aside, or a step behind one.
``unrouted``: no recipe wanted the finish; nothing is to be done, but it is found."""
OperationState = Literal["queued", "sending", "accepted", "unconfirmed", "refused", "abandoned", "cancelled"]
"""``queued``: surely not at the provider. ``sending``: it may be; due again when its lease ends or a repeat is due."""


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
    """The client's own idempotency key; free again after a day."""
    client: str = ""
    """Who asked for it."""
    batch: str = ""
    tags: str = "[]"
    """Words of the client's own, for recipes (JSON array)."""
    recipes: str = "[]"
    """Names of the recipes that alone may have its finishes (JSON array); empty: all that fit."""
    usage: str = "{}"
    """What it has cost so far by the ledger (JSON: unit, and billionths by kind)."""
    row_identity: str | None = None
    """Which row of a sheet asked for it; with ``row_version``, asked for once and never again."""
    row_version: str | None = None
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
    """When its answer was taken in; for an unconfirmed one, when it was given up on."""
    error: str | None = None
    client: str = ""
    batch: str = ""
    """With ``client``, the lane it waits in: lanes are served in turn."""
    priority: int = 0
    """-9 to 9; higher goes first."""
    cost: int | None = None
    """The least it can cost, in billionths of ``unit``; ``None`` if that is not known."""
    unit: Unit = "credits"

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
    lane: str = ""
    """Its destination: deliveries of one lane share its order, room, pauses and breaker. Default: the connection, else
    the connector."""
    probe: int = 0
    """1: this attempt only tries whether the lane works again, and its failure does not count. 2: its last one."""
    replay: int = 0
    """0, or the number of this new delivery of the same step for the same finish."""
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


MoneyKind = Literal["reserved", "charged", "settled", "refunded"]


class LedgerLine(Struct, kw_only=True):
    """By how much one of a task's amounts changed. Never changed itself, and never deleted."""

    at: float
    kind: MoneyKind
    amount: int
    """In billionths of ``unit``; negative where the provider took it back."""
    unit: Unit
    told_by: Source
    operation_id: str = ""
    """Empty: the latest accepted operation of the task, filled in when it is written."""


class Change(Struct, kw_only=True):
    """Everything one piece of news causes: applied whole, or not at all."""

    task: TaskRow
    """As it shall be; its ``version`` is the one it was read with."""
    history: list[Entry] = field(default_factory=list[Entry])
    finish: Finish | None = None
    update: Finish | None = None
    """The same news as an event of its own, for endpoints that want to hear of every change."""
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    ledger: list[LedgerLine] = field(default_factory=list[LedgerLine])
    occasions: list[Occasion] = field(default_factory=list[Occasion])
    operation: Operation | None = None
    """An operation this news settles; must still carry the fence it was claimed with."""


class Settlement(Struct, kw_only=True):
    """What became of one attempt: applied only if the delivery still carries ``delivery.fence``."""

    delivery: DeliveryRow
    """As it shall be."""
    history: list[Entry] = field(default_factory=list[Entry])
    deliveries: list[DeliveryRow] = field(default_factory=list[DeliveryRow])
    """New deliveries this causes, such as ``on_failure`` steps."""
    occasions: list[Occasion] = field(default_factory=list[Occasion])
    """A dead letter is an occasion for other recipes."""
    lane: LaneNews | None = None
    """What the attempt tells of its destination; ``None`` if it never got there."""


class Briefing(Struct):
    """A delivery that was handed out, with all that its attempt must know."""

    delivery: DeliveryRow
    task: TaskRow | None
    """``None``: it is about no task."""
    finish: Finish | None
    occasion: Occasion | None
    """What it speaks of in place of a finish."""
    media: list[MediaRow]
    siblings: list[DeliveryRow]
    """All deliveries of the same task."""


class DeliveryFilter(Struct, kw_only=True, frozen=True):
    """Which deliveries are meant: all that fit every condition given."""

    ids: list[str] = []
    states: list[DeliveryState] = []
    recipe: str | None = None
    connection: str | None = None
    lane: str | None = None
    task_id: str | None = None
    since: float | None = None
    """Planned at this time (Unix seconds) or later."""
    until: float | None = None
    """Planned at this time or earlier."""
    error: str | None = None
    """Text that stands somewhere in the last error."""


UNDELIVERED: list[DeliveryState] = ["waiting", "due", "leased", "parked", "dead", "unrouted"]
"""All that has not arrived, and that nobody has put aside."""


class Pulse(Struct, kw_only=True):
    """How the line is moving: what ``/ready`` and the metrics read."""

    oldest_due_poll: float | None = None
    oldest_due_delivery: float | None = None
    oldest_due_operation: float | None = None
    """Sent without an answer, and due to be sent again."""
    oldest_waiting_operation: float | None = None
    """Queued: waits for its turn, a slot, or money."""
    waiting: int = 0
    """How many operations are queued."""
    open_tasks: int = 0
    unconfirmed: int = 0
    pending_deliveries: int = 0
    dead_deliveries: int = 0
