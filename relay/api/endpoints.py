"""What the contract has no words for: an endpoint's deliveries, replays and new secrets; notices."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from relay.contract import Data, Listing
from relay.flow.endpoints import MOST_AT_ONCE, OVERLAP
from relay.journal import DeliveryRow, EndpointRow, Notice

from .answers import BAD_REQUEST
from .auth import caller_of
from .errors import ApiError
from .parts import TheEndpoints, TheJournal
from .webhooks import NO_ENDPOINT, WebhookEndpoint, known_endpoint, shown


class EndpointState(Struct, kw_only=True):
    """An endpoint and how it fares. Times are Unix seconds."""

    id: str
    kind: str
    """`webhook`, or `hook` for a no-code platform's subscription."""
    url: str
    events: list[str]
    status: str
    owner: str | None
    """The API key whose tasks it hears of; null: it hears of all."""
    failing_since: float | None
    disabled_reason: str | None
    overlap_until: float | None
    """Until then the secret before the last one signs too."""
    created_at: float


class EndpointDelivery(Struct, kw_only=True):
    """One event's way to an endpoint. Times are Unix seconds."""

    id: str
    event_id: str
    """Sent as `webhook-id` and `id` on every try."""
    task_id: str
    state: str
    attempts: int
    created_at: float
    updated_at: float
    next_at: float | None
    """When it is tried next."""
    error: str | None
    response: Any
    """Status and beginning of the receiver's last good answer."""


class Replay(Struct, kw_only=True):
    """Which events to send once more: one by its id, or all between two times."""

    event_id: str | None = None
    since: float | None = None
    """Unix seconds."""
    until: float | None = None
    """Unix seconds, excluded; default: now."""


class Replayed(Struct):
    """How many deliveries are due by this."""

    deliveries: int


class Rotation(Struct):
    """How long both secrets sign."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=30 * 86400)] = OVERLAP


Limit = Annotated[int, QueryParameter(ge=1, le=500, description="Most to return.")]


class EndpointsController(Controller):
    """Endpoints of webhooks and hooks alike."""

    path = "/relay/v1/endpoints"
    tags = ("Webhook endpoints",)

    @get(operation_id="listEndpoints", summary="List everybody's endpoints")
    async def list_endpoints(self, journal: TheJournal) -> Data[Listing[EndpointState]]:
        """Every endpoint and hook, whoever made it, and how it fares."""
        return Data(Listing([_state(row) for row in await journal.endpoints.all()]))

    @get(
        "/{id:str}/deliveries",
        operation_id="listEndpointDeliveries",
        summary="List what was sent to an endpoint",
        responses={404: NO_ENDPOINT},
        opt={"scope": "read"},
    )
    async def list_deliveries(
        self,
        request: Request[Any, Any, Any],
        id: FromPath[str],
        endpoints: TheEndpoints,
        journal: TheJournal,
        limit: Limit = 50,
        before: Annotated[str | None, QueryParameter(description="The last id of the page before.")] = None,
    ) -> Data[Listing[EndpointDelivery]]:
        """Newest first: what landed, what is tried again and when, what is dead and why."""
        endpoint = await known_endpoint(request, endpoints, id)
        return Data(Listing([_delivery(row) for row in await journal.events.deliveries(endpoint.id, limit, before)]))

    @post(
        "/{id:str}/replay",
        operation_id="replayEndpoint",
        summary="Send events to an endpoint once more",
        status_code=202,
        responses={400: BAD_REQUEST, 404: NO_ENDPOINT},
        opt={"scope": "submit"},
    )
    async def replay(
        self,
        request: Request[Any, Any, Any],
        id: FromPath[str],
        data: JSONBody[Replay],
        endpoints: TheEndpoints,
        journal: TheJournal,
    ) -> Data[Replayed]:
        """Each event keeps its id, so that a receiver that has had it can tell. Events that it never got, because it
        was disabled or not there yet, are sent too. Of a window at most 1000 events, the newest first."""
        endpoint = await known_endpoint(request, endpoints, id)
        if (data.event_id is None) == (data.since is None):
            raise ApiError(400, "Name either `event_id` or `since` (and `until`): which events are to be sent again?")
        events = await journal.events.recent(
            MOST_AT_ONCE,
            owner=endpoint.owner,
            events=tuple(endpoint.events.split()),
            since=data.since or 0.0,
            until=data.until,
            event_id=data.event_id,
        )
        if data.event_id is not None and not events:
            raise ApiError(
                400, f"`event_id` is {data.event_id[:80]!r}; endpoint {endpoint.id} is entitled to no such event."
            )
        return Data(Replayed(await endpoints.replay(endpoint, events)))

    @post(
        "/{id:str}/rotate",
        operation_id="rotateEndpointSecret",
        summary="Give an endpoint a new secret",
        status_code=200,
        responses={400: BAD_REQUEST, 404: NO_ENDPOINT},
        opt={"scope": "submit"},
    )
    async def rotate(
        self,
        request: Request[Any, Any, Any],
        id: FromPath[str],
        data: JSONBody[Rotation],
        endpoints: TheEndpoints,
    ) -> Data[WebhookEndpoint]:
        """The new secret stands in the answer, this once. For a day, or as long as you say, the old one signs too:
        `webhook-signature` carries both; `x-beatapi-signature` is the old one's until your receiver refuses it."""
        endpoint = await known_endpoint(request, endpoints, id)
        row, secret = await endpoints.rotate(endpoint, data.overlap_seconds)
        return Data(shown(endpoints, row or endpoint, secret))


@get("/relay/v1/notices", operation_id="listNotices", summary="List what the relay did by itself", tags=["Relay"])
async def list_notices(journal: TheJournal, limit: Limit = 50) -> Data[Listing[Notice]]:
    """Newest first: endpoints that were disabled and hooks that were removed, and why."""
    return Data(Listing(await journal.endpoints.notices(limit)))


@get(
    "/relay/v1/me",
    operation_id="whoAmI",
    summary="Test a key",
    tags=["Keys"],
    opt={"scope": "read"},
)
async def who_am_i(request: Request[Any, Any, Any]) -> Data[dict[str, Any]]:
    """Which key asks, and what it may do: for the connection test of no-code tools."""
    caller = caller_of(request)
    return Data({"id": caller.id, "scopes": sorted(caller.scopes)})


def _state(row: EndpointRow) -> EndpointState:
    return EndpointState(
        id=row.id,
        kind=row.kind,
        url=row.url,
        events=row.events.split(),
        status=row.status,
        owner=row.owner,
        failing_since=row.failing_since,
        disabled_reason=row.disabled_reason,
        overlap_until=row.overlap_until,
        created_at=row.created_at,
    )


def _delivery(row: DeliveryRow) -> EndpointDelivery:
    outcome = msgspec.json.decode(row.outcome, type=dict[str, Any]) if row.outcome else {}
    return EndpointDelivery(
        id=row.id,
        event_id=row.event_id,
        task_id=row.task_id,
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        updated_at=row.updated_at,
        next_at=row.due_at,
        error=row.error,
        response=outcome.get("detail"),
    )
