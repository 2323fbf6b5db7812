"""The launch contract as an OpenAPI 3.1 document, made from the table of operations and the structs."""

import re
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from .envelopes import Data, ErrorEnvelope
from .examples import ANSWERS, ERROR, REQUESTS
from .operations import OPERATIONS, Operation

REFUSALS = {
    400: "The request is invalid; the message names the field and the rule.",
    401: "The API key is missing or not valid.",
    402: "The balance is too low.",
    403: "This account or key may not do that.",
    404: "There is no such thing, or not for this account.",
    409: "The Idempotency-Key was used with another body, or its first request is still running.",
    429: "Too many requests, or too many tasks at once.",
    500: "An error inside.",
    503: "It cannot be done now; try again.",
}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        "purpose": {"type": "string", "enum": ["input"]},
    },
}
RAW = ("image/png", "image/jpeg", "image/webp", "audio/mpeg", "audio/wav", "audio/aac", "audio/mp4")
UPLOAD: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": _FORM},
        **{mime: {"schema": {"type": "string", "contentMediaType": mime}} for mime in RAW},
    },
}
"""The body of an upload: a form with the file, or its bytes."""


def document(
    title: str, version: str, description: str, operations: Sequence[Operation] = OPERATIONS
) -> dict[str, Any]:
    """The whole document, JSON-ready."""
    types = {one.id: one.body for one in operations if one.body is not None}
    answers = {one.id: Data[one.data] for one in operations}
    made, shapes = schemas([*types.values(), *answers.values(), ErrorEnvelope])
    bodies = dict(zip(types, made, strict=False))
    results = dict(zip(answers, made[len(types) :], strict=False))
    paths: dict[str, Any] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _operation(one, bodies.get(one.id), results[one.id], made[-1])
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "paths": paths,
        "components": {
            "schemas": shapes,
            "securitySchemes": {"BearerAuth": {"type": "http", "scheme": "bearer"}},
        },
    }


def schemas(types: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schema of each type, and the shapes that they refer to. Exact decimals are plain numbers on the wire."""
    made, shapes = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return [_exact(one) for one in made], {name: _exact(shape) for name, shape in shapes.items()}


def _exact(schema: Any) -> Any:
    if isinstance(schema, dict):
        given = cast("dict[str, Any]", schema)
        if given.get("format") == "decimal":
            return {"type": "number"}
        return {name: _exact(value) for name, value in given.items()}
    return [_exact(one) for one in cast("list[Any]", schema)] if isinstance(schema, list) else schema


def _operation(one: Operation, body: Any, result: Any, error: Any) -> dict[str, Any]:
    answers: dict[str, Any] = {str(one.status): _content("Done.", result, {"data": ANSWERS[one.id]})}
    for status in (*one.refusals, 500, 503):
        answers[str(status)] = _content(REFUSALS[status], error, ERROR if status == 400 else None)
    written: dict[str, Any] = {
        "operationId": one.id,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": _parameters(one),
        "responses": answers,
        "security": [] if one.public else [{"BearerAuth": []}],
    }
    if one.id == "uploadFile":
        written["requestBody"] = UPLOAD
    elif body is not None:
        written["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body, "example": REQUESTS[one.id]}},
        }
    return written


def _content(description: str, schema: Any, example: Any) -> dict[str, Any]:
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "content": {"application/json": content}}


def _parameters(one: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", one.path)
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if one.key:
        most = 128 if one.key == "required" else 255
        schema = {"type": "string", "minLength": 1, "maxLength": most}
        found.append({"name": "Idempotency-Key", "in": "header", "required": one.key == "required", "schema": schema})
    return found
