"""Completion callbacks: the event that is sent, and the endpoint that it is sent to."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from .tasks import Task

EventName = Literal["task.succeeded", "task.failed"]
EVENTS: tuple[EventName, ...] = ("task.succeeded", "task.failed")


class WebhookEvent(Struct):
    """The body of a webhook. The name of the event is in ``event``, not ``type``."""

    id: str
    event: str
    data: Task
    created_at: int = 0


class WebhookEndpoint(Struct):
    """A registered callback URL. ``secret`` is whole once, at creation; afterwards it is masked."""

    id: str
    url: str
    secret: str
    created_at: int
    updated_at: int
    description: str = ""
    events: list[EventName] = field(default_factory=lambda: list(EVENTS))
    status: Literal["active", "disabled"] = "active"
    object: str = "webhook_endpoint"


class WebhookEndpointRequest(Struct):
    """``POST /v1/webhooks``. Leaving ``events`` out subscribes to both."""

    url: str
    description: str = ""
    events: list[EventName] = field(default_factory=lambda: list(EVENTS))


class WebhookEndpointChange(Struct):
    """``PATCH /v1/webhooks/{id}``: any of these."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    events: list[EventName] | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class WebhookDeleted(Struct):
    """The answer to ``DELETE /v1/webhooks/{id}``."""

    id: str
    deleted: bool = True
