"""Customers' endpoints, and the events that are told to them."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from .model import DeliveryRow, Entry, Finish

EndpointKind = Literal["webhook", "hook"]


class EndpointRow(Struct, kw_only=True):
    """A URL that somebody wants to be called at. A ``hook`` is one that a no-code platform subscribed."""

    id: str
    kind: EndpointKind
    url: str
    events: str
    """Names of events, separated by spaces."""
    status: Literal["active", "disabled"]
    secret: bytes
    """Sealed: one ``whsec_…``, or the new and the old one with a space between them."""
    created_at: float
    updated_at: float
    description: str = ""
    owner: str | None = None
    """The API key that made it, whose tasks it hears of; ``None``: the house's own, which hears of all."""
    overlap_until: float | None = None
    """Until then both secrets sign."""
    failing_since: float | None = None
    """Since when every delivery to it failed."""
    disabled_reason: str | None = None


class Notice(Struct, kw_only=True):
    """Something that the relay did by itself and a person should know of."""

    id: str
    at: float
    kind: str
    about: str
    """The id of what it is about."""
    text: str
    owner: str | None = None


class EndpointStore(Protocol):
    """Endpoints and notices."""

    async def add(self, endpoint: EndpointRow) -> None: ...

    async def get(self, endpoint_id: str) -> EndpointRow | None: ...

    async def all(self) -> list[EndpointRow]:
        """Every endpoint, the oldest first."""
        ...

    async def active(self) -> list[EndpointRow]:
        """Those that are to be told of events."""
        ...

    async def change(self, endpoint_id: str, changes: Mapping[str, Any]) -> EndpointRow | None:
        """Set the named fields; ``None``: there is no such endpoint."""
        ...

    async def remove(self, endpoint_id: str) -> bool: ...

    async def failed(self, endpoint_id: str, at: float) -> EndpointRow | None:
        """A delivery to it failed: it is failing since now, unless it was already."""
        ...

    async def delivered(self, endpoint_id: str) -> None:
        """A delivery to it landed: it is failing no more."""
        ...

    async def give_up(self, endpoint_id: str, reason: str, notice: Notice, entry: Entry) -> bool:
        """Disable an active endpoint (a hook is removed), with a notice and a line in the task's history, in one
        transaction. False: somebody did so already."""
        ...

    async def notices(self, limit: int) -> list[Notice]:
        """Newest first."""
        ...


class EventStore(Protocol):
    """What happened to tasks, as endpoints are told of it."""

    async def get(self, event_id: str) -> Finish | None:
        """A finish, or an update that an endpoint had asked for."""
        ...

    async def recent(
        self,
        limit: int,
        *,
        owner: str | None = None,
        events: tuple[str, ...] = (),
        since: float = 0.0,
        until: float | None = None,
        event_id: str | None = None,
    ) -> list[Finish]:
        """Newest first. ``owner``: only of tasks that this key created; ``events``: only these kinds; times in Unix
        seconds, ``until`` excluded; ``event_id``: only this one."""
        ...

    async def deliveries(self, endpoint_id: str, limit: int, before: str | None = None) -> list[DeliveryRow]:
        """What was sent, or shall be sent, to an endpoint, newest first; ``before`` is the last id of the page
        before."""
        ...

    async def send_again(self, deliveries: list[DeliveryRow]) -> int:
        """Make these due. One that its endpoint has had already keeps its id and is sent once more, unless it is under
        way; returns how many are due by this."""
        ...
