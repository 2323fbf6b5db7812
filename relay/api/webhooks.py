"""Customers' webhook endpoints, as Beat API's contract has them."""

from typing import Any, Literal

from litestar import Controller, Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Struct, UnsetType, field, structs

from relay.contract import Data, Listing
from relay.flow.endpoints import DEFAULT_EVENTS, AnyEvent, EndpointProblem, Endpoints, masked
from relay.journal import LOST, EndpointRow

from .answers import BAD_REQUEST, UNAUTHORIZED, refusal
from .auth import caller_of
from .errors import ApiError
from .parts import TheEndpoints

NO_ENDPOINT = refusal("There is no such endpoint, or it is somebody else's.")


class WebhookEndpoint(Struct, kw_only=True):
    """A URL that is called when something happens to a task. `secret` is whole once, in the answer to the create;
    afterwards it is masked."""

    id: str
    url: str
    description: str
    events: list[AnyEvent]
    status: Literal["active", "disabled"]
    secret: str
    created_at: int
    updated_at: int
    object: Literal["webhook_endpoint"] = "webhook_endpoint"


class WebhookEndpointRequest(Struct):
    """Leaving `events` out subscribes to `task.succeeded` and `task.failed`."""

    url: str
    """An `https://` URL on the public internet."""
    description: str = ""
    events: list[AnyEvent] = field(default_factory=lambda: list(DEFAULT_EVENTS))
    """Besides the contract's two: `task.requires_action` and `task.updated` (every change)."""


class WebhookEndpointChange(Struct, kw_only=True):
    """Any of these; what is left out stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: list[AnyEvent] | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class Deleted(Struct):
    """What is gone."""

    id: str
    deleted: bool


class WebhooksController(Controller):
    """Endpoints hear of the tasks of the key that made them; those of an admin's key hear of all."""

    path = "/v1/webhooks"
    tags = ("Webhook endpoints",)

    @get(operation_id="listWebhookEndpoints", summary="List webhook endpoints", responses={401: UNAUTHORIZED})
    async def list_endpoints(
        self, request: Request[Any, Any, Any], endpoints: TheEndpoints
    ) -> Data[Listing[WebhookEndpoint]]:
        """Your own endpoints, the oldest first, secrets masked."""
        rows = await endpoints.mine(caller_of(request), "webhook")
        return Data(Listing([shown(endpoints, row) for row in rows]))

    @post(
        operation_id="createWebhookEndpoint",
        summary="Create a webhook endpoint",
        status_code=201,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED},
    )
    async def create_endpoint(
        self, request: Request[Any, Any, Any], data: JSONBody[WebhookEndpointRequest], endpoints: TheEndpoints
    ) -> Data[WebhookEndpoint]:
        """Deliveries are signed with the secret in this answer, which is shown this once: by `x-beatapi-signature`, and
        by `webhook-signature` (Standard Webhooks). They are repeated for 76 hours, always under the same id."""
        try:
            row, secret = await endpoints.create(caller_of(request), "webhook", data.url, data.events, data.description)
        except EndpointProblem as error:
            raise problem(error) from error
        return Data(shown(endpoints, row, secret))

    @get(
        "/{id:str}",
        operation_id="getWebhookEndpoint",
        summary="Get a webhook endpoint",
        responses={401: UNAUTHORIZED, 404: NO_ENDPOINT},
    )
    async def get_endpoint(
        self, request: Request[Any, Any, Any], id: FromPath[str], endpoints: TheEndpoints
    ) -> Data[WebhookEndpoint]:
        """One endpoint, its secret masked."""
        return Data(shown(endpoints, await known_endpoint(request, endpoints, id)))

    @patch(
        "/{id:str}",
        operation_id="updateWebhookEndpoint",
        summary="Update a webhook endpoint",
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 404: NO_ENDPOINT},
    )
    async def update_endpoint(
        self,
        request: Request[Any, Any, Any],
        id: FromPath[str],
        data: JSONBody[WebhookEndpointChange],
        endpoints: TheEndpoints,
    ) -> Data[WebhookEndpoint]:
        """Change it, disable it, or make one active again that the relay had disabled."""
        row = await known_endpoint(request, endpoints, id)
        changes = {name: value for name, value in structs.asdict(data).items() if value is not UNSET}
        try:
            changed = await endpoints.change(row, changes)
        except EndpointProblem as error:
            raise problem(error) from error
        return Data(shown(endpoints, changed or row))

    @delete(
        "/{id:str}",
        operation_id="deleteWebhookEndpoint",
        summary="Delete a webhook endpoint",
        status_code=200,
        responses={401: UNAUTHORIZED, 404: NO_ENDPOINT},
    )
    async def delete_endpoint(
        self, request: Request[Any, Any, Any], id: FromPath[str], endpoints: TheEndpoints
    ) -> Data[Deleted]:
        """Nothing more is sent to it."""
        await endpoints.remove(await known_endpoint(request, endpoints, id))
        return Data(Deleted(id, deleted=True))


async def known_endpoint(request: Request[Any, Any, Any], endpoints: Endpoints, endpoint_id: str) -> EndpointRow:
    """The caller's endpoint, or 404."""
    row = await endpoints.get(caller_of(request), endpoint_id)
    if row is None:
        raise ApiError(404, f"There is no endpoint {endpoint_id[:80]}; `GET /v1/webhooks` lists yours.")
    return row


def shown(endpoints: Endpoints, row: EndpointRow, secret: str | None = None) -> WebhookEndpoint:
    """An endpoint as the contract shows it; ``secret`` only when it is new."""
    return WebhookEndpoint(
        id=row.id,
        url=row.url,
        description=row.description,
        events=row.events.split(),  # type: ignore[arg-type]  # checked before they were stored
        status=row.status,
        secret=secret or masked("" if row.secret == LOST else endpoints.secrets(row)[0]),
        created_at=int(row.created_at),
        updated_at=int(row.updated_at),
    )


def problem(error: EndpointProblem) -> ApiError:
    """A refusal that names the field, its value and the rule."""
    details = [{"field": error.field, "value": error.value, "rule": error.rule}]
    return ApiError(400, f"{error}.", details=details)
