"""What a connector is: one place a finished video can go, behind one method.

A connector gets a rendered, typed ``Config`` and a :class:`Delivery`, does its work, and returns an
:class:`Outcome`, or raises one of four errors that tell the relay what to do next. It never sleeps, never
retries by itself and never reads the environment: the relay owns schedules, secrets and the network.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import httpx
from msgspec import Meta, Struct


class ConnectorConfig(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of every connector's ``Config``: the ``with:`` of a recipe step after rendering.

    A misspelt key is an error, so that a recipe never quietly does less than it says.
    """

    @classmethod
    def asks(cls, settings: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG003 (for others)
        """Keys of the connection that a step needs though not every connection has to have them, each with what happens
        without. ``settings`` is its ``with:``, templates not filled in. For ``beatrelay recipes check``."""
        return {}


class ConnectionSettings(Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of every connector's ``Connection``: what a named connection holds, all of it text.

    A secret is marked ``Annotated[str, SECRET]``: it is stored encrypted, never shown again, and redacted.
    """


SECRET = Meta(extra={"secret": True})


class Notes(Protocol):
    """What a connector writes down between two steps of its work, so that a repeat after a crash goes on from there.
    Stored encrypted; a note is durable when :meth:`put` returns."""

    async def get(self, name: str) -> str | None: ...

    async def put(self, name: str, value: str) -> None: ...


@runtime_checkable
class Guarded(Protocol):
    """What the relay's client can do besides httpx' own."""

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where ``host`` may be connected to; raises :class:`httpx.ConnectError` where it must not be. Connect to
        one of these, never to the name: it may lead elsewhere the next time it is looked up."""
        ...

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> tuple[int, httpx.Headers, bytes, bool]:
        """A request whose body is at hand, at a fraction of the cost of one that streams: the answer's status and
        headers, at most ``limit`` bytes of its body, and whether there was more. Raises as httpx does."""
        ...


class MediaFile(Protocol):
    """A finished file in the relay's own store."""

    @property
    def name(self) -> str:
        """A file name that is safe on every system, such as ``task_01h….mp4``."""
        ...

    @property
    def mime_type(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Lowercase hex."""
        ...

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes as a stream of chunks, never whole in memory. May be opened again for a retry."""
        ...


def _no_recipe(setting: str, _: Mapping[str, Any]) -> str:
    return f"there is no recipe that could tell `{setting}`"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One step of one recipe for one finish, at one attempt."""

    key: str
    """The same on every retry: what a connector uses to find that the work is already done."""
    attempt: int
    """1 for the first."""
    at: int
    """Unix seconds now, by the relay's clock: the timestamp to sign."""
    event: Mapping[str, Any]
    """JSON-ready: what happened (``id``, ``type``, ``created_at``, ``revision``, ``task``, ``media``)."""
    connection: Mapping[str, str]
    """The named credentials of the step, decrypted. Never put them in an outcome or an error."""
    http: httpx.AsyncClient
    """The guarded client: own User-Agent, time limits, no redirects, no private networks."""
    notes: Notes
    """This delivery's own notes: what earlier attempts at it wrote down."""
    task_notes: Notes
    """Notes that all deliveries of the same task through the same connection share, such as the one message that is
    updated from queued to done."""
    media: MediaFile | None = None
    """The file to deliver; ``None`` when the finish has no media."""
    why_not: Callable[[str, Mapping[str, Any]], str] = _no_recipe
    """``why_not("success_when", {"answer": …})``: why that setting of the step, an expression that the config holds as
    it is written, does not hold with these names in reach besides the usual ones; empty if it does."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A delivery that landed. Later steps see it as ``steps.<name>.url`` and ``steps.<name>.detail``."""

    url: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


class DeliveryError(Exception):
    """A delivery that did not land. ``detail`` is kept with the attempt (status, start of the response)."""

    def __init__(self, reason: str, *, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail: Mapping[str, Any] = detail or {}


class Retry(DeliveryError):
    """It may work later. ``after`` (seconds) is the destination's own wish; it only ever lengthens the wait."""

    def __init__(self, reason: str, *, after: float | None = None, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason, detail=detail)
        self.after = after


class Wait(DeliveryError):
    """Not yet: nothing is wrong, and the repeat in ``after`` seconds counts as no failure. For a destination whose
    known limit is reached, and for work that it is still at. Counts like :class:`Retry` once the delivery is days old.
    """

    def __init__(self, reason: str, *, after: float, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason, detail=detail)
        self.after = after


class Reject(DeliveryError):
    """It will never work as it is: a dead letter at once, with the reason and what to do."""


class Gone(Reject):
    """The destination says that it is no more (410): stop sending to it."""


class Connector(ABC):
    """One kind of destination. One instance serves the whole process and keeps no state per delivery."""

    name: ClassVar[str]
    """What a recipe writes after ``use:``."""
    Config: ClassVar[type[ConnectorConfig]]
    Connection: ClassVar[type[ConnectionSettings]] = ConnectionSettings
    """What its connections hold."""
    moves_media: ClassVar[bool] = False
    """True when it sends the file itself: it then gets the longer time limit."""

    @abstractmethod
    async def deliver(self, config: Any, delivery: Delivery) -> Outcome:
        """Bring ``delivery`` to its destination; ``config`` is an instance of :attr:`Config`.

        Must be safe to repeat with the same ``delivery.key``. Raises :class:`Retry`, :class:`Wait`, :class:`Reject`
        or :class:`Gone`. Anything else counts as a retry and is recorded as our own error.
        """

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:  # noqa: ARG002 (for others)
        """Try a connection without any lasting effect ("test connection"). Returns one sentence for people: what it
        reaches, and as whom. Raises :class:`Retry` or :class:`Reject` with what to do."""
        return f"{self.name} has nothing to try: its first delivery will tell"
