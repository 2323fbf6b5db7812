"""The launch contract, fact by fact, against both documents, both sets of rules and all structs.

``launch.json`` holds the facts: each operation with its statuses, fields and limits, each shape with its fields.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from relay.contract import (
    Account,
    Concurrency,
    ErrorBody,
    Shot,
    ShotMedia,
    Status,
    Storyboard,
    Task,
    TaskUsage,
    UploadedFile,
    WebhookEndpoint,
    WebhookEvent,
    Workflow,
    decode,
    encode,
    rules,
)
from relay.contract.account import RealtimeUsage
from relay.contract.document import document, schemas
from relay.contract.examples import ANSWERS, ERROR, EVENT, REQUESTS
from relay.contract.operations import OPERATIONS
from relay.contract.realtime import RealtimeSession, SessionCredits
from relay.sandbox import rules as sandbox_rules
from relay.sandbox.errors import Refusal

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("launch.json").read_bytes())
OPERATIONS_OF: dict[str, dict[str, Any]] = FACTS["operations"]
RELAY: dict[str, Any] = json.loads(Path("openapi/beatrelay.json").read_bytes())
DOCUMENTS = {"relay": RELAY, "sandbox": document("Sandbox", "1", "")}
NEVER = {
    "createMusicVideoTask": {402, 429},  # it waits in the queue for a balance and a slot
    "createEcommerceVideoTask": {402, 429},
    "listWorkflows": {429},  # whoever may ask too often is the relay, and it says 503 with Retry-After
}
"""What the relay never answers."""
SHAPES: dict[str, Any] = {
    "Workflow": Workflow,
    "StoryboardShot": Shot,
    "Storyboard": Storyboard,
    "ShotMedia": ShotMedia,
    "TaskUsage": TaskUsage,
    "Task": Task,
    "File": UploadedFile,
    "WebhookEndpoint": WebhookEndpoint,
    "WebhookEvent": WebhookEvent,
    "Usage": Account,
    "Usage.concurrency": Concurrency,
    "Usage.realtime": RealtimeUsage,
    "RealtimeSession": RealtimeSession,
    "RealtimeSession.credits": SessionCredits,
}


def resolve(found: Any, whole: dict[str, Any]) -> dict[str, Any]:
    """A schema without its reference; of several, the one that is not null."""
    while "$ref" in found or "anyOf" in found or "oneOf" in found:
        if "$ref" in found:
            found = whole["components"]["schemas"][found["$ref"].rpartition("/")[2]]
        else:
            found = next(one for one in found.get("anyOf") or found["oneOf"] if one.get("type") != "null")
    return found


def operation(name: str, kind: str) -> dict[str, Any]:
    fact = OPERATIONS_OF[name]
    plain = re.sub(r"\{\w+\}", "{}", fact["path"])
    paths = {re.sub(r"\{\w+\}", "{}", path): path for path in DOCUMENTS[kind]["paths"]}
    assert plain in paths, f"{kind} has no {fact['path']}"
    return DOCUMENTS[kind]["paths"][paths[plain]][fact["method"]]


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("name", OPERATIONS_OF)
def test_each_operation_has_its_name_and_its_statuses(name: str, kind: str) -> None:
    fact, ours = OPERATIONS_OF[name], operation(name, kind)
    assert ours["operationId"] == name
    missing = {status for status in fact["statuses"] if str(status) not in ours["responses"]}
    assert missing <= (NEVER.get(name, set()) if kind == "relay" else set())
    assert bool(ours.get("security")) is not fact["public"]
    for status, answer in ours["responses"].items():
        assert "application/json" in answer.get("content", {}), f"{status} is told as JSON"


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("name", [name for name, fact in OPERATIONS_OF.items() if "body" in fact])
def test_each_body_has_its_fields_and_their_limits(name: str, kind: str) -> None:
    fact, whole = OPERATIONS_OF[name]["body"], DOCUMENTS[kind]
    content = operation(name, kind)["requestBody"]["content"][fact["type"]]
    ours = resolve(content["schema"], whole)
    assert sorted(ours.get("required", [])) == fact["required"]
    for field, limits in fact["fields"].items():
        assert field in ours["properties"], field
        written = resolve(ours["properties"][field], whole)
        for limit, value in limits.items():
            if limit == "items":
                assert set(value) <= set(resolve(written["items"], whole)["enum"]), field
            elif limit == "enum":
                assert set(written["enum"]) == set(value), field
            elif limit not in ("default", "maxProperties"):  # a default is the provider's, not ours
                assert written[limit] == value, f"{field}: {limit}"


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("name", [name for name, fact in OPERATIONS_OF.items() if "headers" in fact])
def test_required_headers_are_required(name: str, kind: str) -> None:
    ours = {one["name"]: one for one in operation(name, kind)["parameters"] if one["in"] == "header"}
    for header, limits in OPERATIONS_OF[name]["headers"].items():
        assert ours[header]["required"] is True
        assert ours[header]["schema"]["maxLength"] == limits["maxLength"]


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_its_fields(shape: str) -> None:
    fact = FACTS["shapes"][shape]
    fields = set(SHAPES[shape].__struct_fields__)
    assert set(fact["fields"]) <= fields
    (made,), shapes = schemas([SHAPES[shape]])
    ours = resolve(made, {"components": {"schemas": shapes}})["properties"]
    for field, limits in fact["fields"].items():
        written = resolve(ours[field], {"components": {"schemas": shapes}})
        if "enum" in limits and "enum" in written:
            assert set(limits["enum"]) <= set(written["enum"])


def test_every_shape_of_the_contract_is_looked_at() -> None:
    lists = {"WorkflowList", "WebhookEndpointList"}
    assert set(FACTS["shapes"]) == set(SHAPES) | lists
    assert set(FACTS["error_required"]) <= set(ErrorBody.__struct_fields__)
    assert {str(status) for status in Status} == set(FACTS["statuses"])


def _just_in(limits: dict[str, Any]) -> list[Any]:
    if "enum" in limits:
        return list(limits["enum"])
    if "minimum" in limits:
        return [limits["minimum"], limits["maximum"]]
    return ["a" * limits["maxLength"]] if "maxLength" in limits else []


def _just_out(limits: dict[str, Any]) -> list[Any]:
    if "enum" in limits:
        return ["something else", 7]
    if "minimum" in limits:
        return [limits["minimum"] - 1, limits["maximum"] + 1, f"{limits['minimum']}", limits["minimum"] + 0.5]
    if "minItems" in limits:
        return [[], ["https://media.example.com/a.png"] * (limits.get("maxItems", 7) + 1), "one"][
            :: 1 if "maxItems" in limits else 2
        ]
    if "pattern" in limits:
        return ["red", "#FFF", "#GGGGGG"]
    return ["a" * (limits["maxLength"] + 1), 7] if "maxLength" in limits else []


CHECKS: dict[str, tuple[Any, Any]] = {
    "createMusicVideoTask": (
        rules.music_video,
        lambda body: sandbox_rules.check_music_video(body, "http://own", current=False),
    ),
    "createEcommerceVideoTask": (
        rules.ecommerce_video,
        lambda body: sandbox_rules.check_ecommerce(body, "http://own"),
    ),
    "editMusicVideoShot": (rules.shot_edit, lambda body: sandbox_rules.check_edit(body, current=False)),
    "composeMusicVideoTask": (rules.compose, sandbox_rules.check_compose),
}
LIMITS = [
    (name, field, limits)
    for name in CHECKS
    for field, limits in OPERATIONS_OF[name]["body"]["fields"].items()
    if _just_out(limits)
]


@pytest.mark.parametrize(("name", "field", "limits"), LIMITS)
def test_relay_and_sandbox_hold_each_limit_at_its_very_edge(name: str, field: str, limits: dict[str, Any]) -> None:
    ours, theirs = CHECKS[name]
    for value in _just_in(limits):
        body = {**REQUESTS[name], field: value}
        if value == "540p":
            body.pop("quality", None)
        assert ours(body) == []
        theirs(body)
    for value in _just_out(limits):
        body = {**REQUESTS[name], field: value}
        assert {violation.field for violation in ours(body)} == {field}, value
        with pytest.raises(Refusal) as refused:
            theirs(body)
        assert {detail["field"] for detail in refused.value.body.details} == {field}, value


@pytest.mark.parametrize("name", CHECKS)
def test_relay_and_sandbox_miss_each_required_field(name: str) -> None:
    ours, theirs = CHECKS[name]
    required = set(OPERATIONS_OF[name]["body"]["required"])
    assert {violation.field for violation in ours({})} == required
    with pytest.raises(Refusal) as refused:
        theirs({})
    assert {detail["field"] for detail in refused.value.body.details} == required


@pytest.mark.parametrize("name", [one.id for one in OPERATIONS])
def test_our_examples_are_read_and_written_without_loss(name: str) -> None:
    one = next(one for one in OPERATIONS if one.id == name)
    data = decode(encode(ANSWERS[name]), one.data)
    assert json.loads(encode(data)) == ANSWERS[name] | {
        key: value for key, value in json.loads(encode(data)).items() if key not in ANSWERS[name]
    }
    if one.body is not None:
        assert json.loads(encode(decode(encode(REQUESTS[name]), one.body))) | REQUESTS[name] == json.loads(
            encode(decode(encode(REQUESTS[name]), one.body))
        )


def test_our_error_and_event_are_the_contracts() -> None:
    assert ERROR["error"]["code"] in FACTS["error_codes"]
    assert decode(encode(EVENT), WebhookEvent).data.id == EVENT["data"]["id"]
