"""The ``webhooks`` of the OpenAPI document: what the relay sends, to whom, and how to know that it is genuine."""

from typing import Any

from relay.flow.endpoints import EVENTS
from relay.flow.telling import SAMPLE_REQUEST, event_body, flat_event, sample

_BASE = "https://relay.example.com"
_WHEN = {
    "task.succeeded": "A video is finished; it can be finished again after an edit.",
    "task.failed": "A task has failed; `error_code` says why and `usage.credits_refunded` what came back.",
    "task.requires_action": "A task waits for a person: its storyboard can be edited and composed.",
    "task.updated": "Anything about a task has changed. Only for endpoints that asked for it.",
}
_ANSWERS = {
    "2XX": {"description": "Taken in; it is not sent again."},
    "410": {"description": "Gone for good: the endpoint is disabled, a hook is removed."},
    "default": {"description": "Sent again, for 76 hours, under the same id. Redirects are not followed."},
}
_HEADERS = {
    "x-beatapi-event": "The event's name.",
    "x-beatapi-timestamp": "Unix seconds of this try.",
    "x-beatapi-signature": "Lowercase hex HMAC-SHA256 of `timestamp.body`, keyed with the whole secret.",
    "webhook-id": "The event's id: the same on every try.",
    "webhook-timestamp": "Unix seconds of this try.",
    "webhook-signature": "Standard Webhooks: `v1,` and base64, one for each secret that is valid.",
}


def outgoing() -> dict[str, Any]:
    """One entry for each event, and one for hooks."""
    events = {kind: _event(kind) for kind in EVENTS}
    flat = flat_event(sample("task.succeeded", _BASE), SAMPLE_REQUEST)
    hook = {
        "operationId": "onHookEvent",
        "summary": "An event, flat",
        "description": "What hooks get: nothing nested, every key always there, null when it is not known.",
        "requestBody": _body({"type": "object", "properties": {name: {} for name in flat}, "required": [*flat]}, flat),
    }
    return {**events, "hook": {"post": _common(hook)}}


def _event(kind: str) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
    operation = {
        "operationId": f"on{name}",
        "summary": kind,
        "description": _WHEN[kind],
        "requestBody": _body({"$ref": "#/components/schemas/Event"}, event_body(sample(kind, _BASE))),
    }
    return {"post": _common(operation)}


def _common(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"in": "header", "name": name, "required": True, "description": words, "schema": {"type": "string"}}
        for name, words in _HEADERS.items()
    ]
    return {"tags": ["Webhook endpoints"], **operation, "parameters": parameters, "responses": _ANSWERS}


def _body(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
