"""The committed OpenAPI document: valid, complete, and the running app's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from relay.api.openapi import is_public
from relay.app import create_app
from relay.flow.endpoints import EVENTS
from relay.recipe import RecipeSet
from relay.relay import Relay
from relay.settings import Settings

DOCUMENT: dict[str, Any] = json.loads(Path("openapi/beatrelay.json").read_bytes())


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


@pytest.mark.anyio
async def test_it_names_every_door(tmp_path: Path) -> None:
    relay = Relay(Settings(data=tmp_path), RecipeSet())
    app = create_app(relay)
    doors = {
        (route.path_format, method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.resolve_include_in_schema()
        for method in handler.http_methods
        if method not in ("HEAD", "OPTIONS")
    }
    written = {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert written == doors | {("/webhooks/beatapi", "post")}
    await relay.journal.close()


def test_the_contracts_operations_keep_their_names() -> None:
    names = {
        (path, method): operation["operationId"]
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    }
    assert names["/v1/music-video/tasks", "post"] == "createMusicVideoTask"
    assert names["/v1/ecommerce-video/tasks", "post"] == "createEcommerceVideoTask"
    assert names["/v1/tasks/{task_id}", "get"] == "getTask"
    assert names["/v1/music-video/tasks/{task_id}/shots/{shot_id}/edit", "post"] == "editMusicVideoShot"
    assert names["/v1/music-video/tasks/{task_id}/shots/{shot_id}/media", "post"] == "getMusicVideoShotMedia"
    assert names["/v1/music-video/tasks/{task_id}/compose", "post"] == "composeMusicVideoTask"
    assert names["/v1/workflows", "get"] == "listWorkflows"
    assert names["/v1/usage", "get"] == "getUsage"
    assert names["/v1/webhooks", "get"] == "listWebhookEndpoints"
    assert names["/v1/webhooks", "post"] == "createWebhookEndpoint"
    assert names["/v1/webhooks/{id}", "get"] == "getWebhookEndpoint"
    assert names["/v1/webhooks/{id}", "patch"] == "updateWebhookEndpoint"
    assert names["/v1/webhooks/{id}", "delete"] == "deleteWebhookEndpoint"


def test_it_describes_what_is_sent_with_examples_that_fit() -> None:
    sent = DOCUMENT["webhooks"]
    assert set(sent) == {*EVENTS, "hook"}
    for kind in EVENTS:
        content = sent[kind]["post"]["requestBody"]["content"]["application/json"]
        assert content["example"]["event"] == kind
        shape = {**DOCUMENT, **DOCUMENT["components"]["schemas"]["Event"]}
        assert list(OAS31Validator(shape).iter_errors(content["example"])) == []


def test_whoever_needs_a_key_is_told_so() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            guarded = path.startswith(("/v1", "/relay/v1")) and not is_public(path)
            assert ("security" in operation) is guarded, path
            assert not guarded or "401" in operation["responses"], path
