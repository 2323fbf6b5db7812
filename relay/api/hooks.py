"""Subscriptions of no-code platforms (REST hooks): bare bodies, and a delete that never fails."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from relay.flow.endpoints import AnyEvent, EndpointProblem
from relay.flow.telling import flat_event

from .answers import BAD_REQUEST
from .auth import caller_of
from .parts import TheEndpoints, TheEvents
from .webhooks import problem


class HookRequest(Struct):
    """What a platform sends when somebody turns a workflow on."""

    target_url: str
    """Where events are posted, one at a time."""
    event: AnyEvent = "task.succeeded"


class Hook(Struct):
    """A subscription. Platforms keep `id` to end it."""

    id: str
    target_url: str
    event: str
    secret: str
    """Signs each post (Standard Webhooks); shown this once."""
    created_at: int


class HooksController(Controller):
    """For Zapier, Make, n8n and their kind; people use webhook endpoints."""

    path = "/relay/v1/hooks"
    tags = ("Hooks",)

    @post(
        operation_id="subscribeHook",
        summary="Subscribe a no-code platform",
        status_code=201,
        responses={400: BAD_REQUEST},
        opt={"scope": "submit"},
    )
    async def subscribe(
        self, request: Request[Any, Any, Any], data: JSONBody[HookRequest], endpoints: TheEndpoints
    ) -> Hook:
        """Each event is posted as one flat object, once our own copy of the video is stored. A receiver that answers
        410 is forgotten."""
        try:
            row, secret = await endpoints.create(caller_of(request), "hook", data.target_url, [data.event])
        except EndpointProblem as error:
            named = EndpointProblem("target_url", error.value, error.rule) if error.field == "url" else error
            raise problem(named) from error
        return Hook(row.id, row.url, row.events, secret, int(row.created_at))

    @delete(
        "/{id:str}",
        operation_id="unsubscribeHook",
        summary="End a subscription",
        status_code=200,
        opt={"scope": "submit"},
    )
    async def unsubscribe(
        self, request: Request[Any, Any, Any], id: FromPath[str], endpoints: TheEndpoints
    ) -> dict[str, str]:
        """Always `{}`, also when there is nothing to end: a platform that asks twice must not fail."""
        row = await endpoints.get(caller_of(request), id)
        if row is not None and row.kind == "hook":
            await endpoints.remove(row)
        return {}

    @get("/sample", operation_id="sampleHook", summary="Show what a hook gets", opt={"scope": "read"})
    async def sample_events(
        self,
        request: Request[Any, Any, Any],
        events: TheEvents,
        event: Annotated[AnyEvent, QueryParameter(description="Which event.")] = "task.succeeded",
    ) -> list[dict[str, Any]]:
        """Up to three flat events, newest first; a made-up one while there is none. Never empty."""
        found = await events.recent(caller_of(request), (event,), 3)
        return [flat_event(one.event, one.request) for one in found]
