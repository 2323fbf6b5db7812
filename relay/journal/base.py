"""What the relay remembers, and the promises any engine that stores it must keep.

A journal has three rooms, each with its own small protocol: :class:`Receipts` (what came in), :class:`Tasks`
(the truth, and the operations that cost money) and :class:`Deliveries` (what must go out). Every write is one
transaction and is durable when the call returns. Work is handed out under a lease that expires, never on the
assumption that this is the only process; a result counts only with the fence it was handed out with.

Times are Unix seconds (float). JSON travels as text, exactly as it was stored.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from .batches import BatchStore
from .connections import ConnectionStore
from .dismissals import Dismissals
from .endpoints import EndpointStore, EventStore
from .keys import KeyStore
from .lanes import LanePolicies, Lanes
from .ledger import LedgerStore
from .model import (
    Briefing,
    Change,
    DeliveryFilter,
    DeliveryRow,
    Entry,
    Finish,
    MediaRow,
    Operation,
    Pulse,
    Receipt,
    Received,
    Settlement,
    TaskRow,
    Verdict,
)
from .notes import NoteStore
from .occasions import Occasions
from .people import PeopleStore
from .queue import QueueStore
from .recipes import RecipeVersions
from .restored import Restored
from .sealed import SealedStore
from .secrets import SecretStore
from .watched import WatchedStore


class JournalError(Exception):
    """The journal cannot do what was asked; the message says what to do."""


class Unavailable(JournalError):
    """The store under the journal cannot be used now (a full disk, say). Nothing of what was asked is written; the
    same again may work later."""


class InUse(JournalError):
    """Another process has the journal open for writing."""


class Conflict(JournalError):
    """The task changed since it was read. Read it again and decide anew."""


class Superseded(Conflict):
    """The operation was handed to another worker since it was claimed."""


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

    async def recent(self, limit: int, before: str | None = None, verdict: Verdict | None = None) -> list[Receipt]:
        """Newest first, without their bodies; ``before`` is the last id of the page before."""
        ...

    async def of_task(self, provider_task_id: str) -> list[Receipt]:
        """All that named this task, in order of arrival."""
        ...


class Tasks(Protocol):
    """The truth, and the operations that lead to it."""

    async def create(self, task: TaskRow, operation: Operation, entry: Entry, *, once: bool = False) -> TaskRow:
        """Write a new task with its first operation. If ``client_key`` was used less than a day ago, nothing is
        written and the task that has it is returned; an older use gives the key up. So it is, for ever, with
        ``row_identity`` and ``row_version``; and with ``once``, a row that became a task with any other version
        becomes none either: its latest task is returned."""
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

    async def asking_for(self, recipe: str) -> int:
        """How many tasks that are not over were asked for with ``recipe`` by its name."""
        ...

    async def by_provider_id(self, provider_id: str) -> TaskRow | None: ...

    async def recent(
        self, limit: int, before: str | None = None, batch: str | None = None, statuses: Sequence[str] = ()
    ) -> list[TaskRow]:
        """Newest first; ``before`` is the last id of the page before; ``batch``: only of this one; ``statuses``: only
        with one of these."""
        ...

    async def count(self, statuses: Sequence[str]) -> int:
        """How many have one of these statuses."""
        ...

    async def finished_since(self, at: float) -> dict[str, int]:
        """How many finishes there were since then, by event."""
        ...

    async def history(self, task_id: str) -> list[Entry]: ...

    async def finishes(self, task_id: str) -> list[Finish]: ...

    async def operations(self, task_id: str) -> list[Operation]: ...

    async def operate(self, operation: Operation, entry: Entry) -> Operation:
        """Write an edit or a compose down. If ``client_key`` was used less than a day ago, nothing is written and the
        operation that has it is returned. Raises :class:`Conflict` while another operation on the task is under way."""
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

    async def next_poll(self) -> float | None:
        """When the next poll is due."""
        ...


class Deliveries(Protocol):
    """What must go out."""

    async def claim(
        self, now: float, free: Callable[[], int], lease: float, policies: LanePolicies = ...
    ) -> list[Briefing]:
        """Hand out at most ``free()`` due deliveries, lane by lane and within a lane the longest due first, each with a
        new fence; the attempt is counted before it is made (a probe is not). Each is due again after ``lease`` seconds
        unless renewed or settled. No lane gets more than its policy, its pauses and its breaker allow.

        ``free`` is asked by the writer, in its own thread and after the settlements that wait beside the claim: what
        ended until then makes room. A lease survives the end of the process; a power cut ends it anyway, and may forget
        that the attempt was counted."""
        ...

    async def renew(self, held: Mapping[str, int], until: float) -> int:
        """Lengthen the leases of these deliveries (id → fence); how many of them are still ours."""
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """Write down what became of an attempt and release the steps that waited for it. False: the lease was
        lost to another worker, and nothing was written."""
        ...

    async def get(self, delivery_id: str) -> DeliveryRow | None: ...

    async def of_task(self, task_id: str) -> list[DeliveryRow]: ...

    async def next_due(self, now: float = ..., free: int = ..., policies: LanePolicies = ...) -> float | None:
        """When the next delivery may go, if ``free`` places are left; lanes that are full or paused are left out."""
        ...

    async def find(self, wanted: DeliveryFilter, limit: int, before: str | None = None) -> list[DeliveryRow]:
        """The newest first; ``before`` is the last id of the page before."""
        ...

    async def count(self, wanted: DeliveryFilter) -> dict[str, int]:
        """How many there are by connector."""
        ...

    async def again(self, ids: Sequence[str], now: float) -> list[DeliveryRow]:
        """Make dead and done deliveries due again, as the same ones; gives those that are."""
        ...

    async def add(self, deliveries: list[DeliveryRow], history: list[Entry]) -> None:
        """Plan more deliveries of past finishes; a finish that was unrouted is so no longer."""
        ...

    async def finishes(self, since: float, until: float, after: tuple[float, str], limit: int) -> list[Finish]:
        """Finishes of a time, the oldest first, from behind ``after`` (time, event id)."""
        ...

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

    @property
    def dismissals(self) -> Dismissals: ...

    @property
    def ledger(self) -> LedgerStore: ...

    @property
    def queue(self) -> QueueStore: ...

    @property
    def batches(self) -> BatchStore: ...

    @property
    def notes(self) -> NoteStore: ...

    @property
    def connections(self) -> ConnectionStore: ...

    @property
    def lanes(self) -> Lanes: ...

    @property
    def sealed(self) -> SealedStore: ...

    @property
    def keys(self) -> KeyStore: ...

    @property
    def endpoints(self) -> EndpointStore: ...

    @property
    def events(self) -> EventStore: ...

    @property
    def occasions(self) -> Occasions: ...

    @property
    def people(self) -> PeopleStore: ...

    @property
    def recipes(self) -> RecipeVersions: ...

    @property
    def secrets(self) -> SecretStore: ...

    @property
    def watched(self) -> WatchedStore: ...

    @property
    def restored(self) -> Restored | None:
        """The last time that this journal was put back from a copy; ``None``: never. The same until it is closed."""
        ...

    async def pulse(self) -> Pulse: ...

    async def forget(self, before: float, limit: int) -> int:
        """Delete what is older than ``before``: receipts, history, notes, notices, and events that are no finish with
        their deliveries; at most ``limit`` of each. Returns how many. Nothing goes that unfinished or undelivered work
        may ask for, and no task, finish or money ever."""
        ...

    def last_commit_at(self) -> float:
        """Unix seconds of the last durable commit (of opening, if there was none)."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why it could not be used when it was last tried, and what to do; ``None`` if that worked. It tries by itself
        whether it works again."""
        ...

    @property
    def alive(self) -> bool:
        """False once nothing can be written any more."""
        ...

    async def close(self) -> None:
        """Write what is queued, then let go of the store."""
        ...
