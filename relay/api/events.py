"""Recent events, for tools that show a sample, and for receivers that were away."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import QueryParameter
from msgspec import Struct

from relay.contract import Data, Listing, Task, encode
from relay.flow.endpoints import DEFAULT_EVENTS, AnyEvent
from relay.flow.telling import event_body

from .answers import BAD_REQUEST, UNAUTHORIZED
from .auth import caller_of
from .parts import TheEvents


class Event(Struct):
    """What webhook endpoints are sent. `type` and `timestamp` say the same as `event` and `created_at`, in the words
    of Standard Webhooks."""

    id: str
    event: AnyEvent
    type: AnyEvent
    created_at: int
    timestamp: str
    data: Task


@get(
    "/v1/events",
    operation_id="listEvents",
    summary="List recent events",
    tags=["Webhook endpoints"],
    responses={400: BAD_REQUEST, 401: UNAUTHORIZED},
)
async def list_events(
    request: Request[Any, Any, Any],
    events: TheEvents,
    kind: Annotated[AnyEvent | None, QueryParameter(name="type", description="Only these; default: both ends.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="Most to return.")] = 20,
) -> Response[Data[Listing[Event]]]:
    """Newest first, with the very bodies that endpoints were sent. While there is none, a made-up one of each kind,
    whose id starts with `evt_sample_`. `task.updated` is kept only where an endpoint asked for it."""
    found = await events.recent(caller_of(request), (kind,) if kind else DEFAULT_EVENTS, limit)
    body: Any = encode({"data": {"object": "list", "data": [event_body(one.event) for one in found]}})
    return Response(body, media_type="application/json")
