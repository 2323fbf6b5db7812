"""Bodies that handlers read raw, and an example of each body, put into the OpenAPI document.

They are read raw so that every violation is told at once and unknown fields travel on.
"""

from typing import Any

from relay.contract import ComposeRequest, EcommerceVideoRequest, MusicVideoRequest, ShotEditRequest
from relay.contract.document import UPLOAD, schemas
from relay.contract.examples import ANSWERS, ERROR, REQUESTS
from relay.contract.realtime import RealtimeSessionRequest

BODIES = {
    "createMusicVideoTask": MusicVideoRequest,
    "createEcommerceVideoTask": EcommerceVideoRequest,
    "editMusicVideoShot": ShotEditRequest,
    "composeMusicVideoTask": ComposeRequest,
    "createRealtimeSession": RealtimeSessionRequest,
}
_OPEN = {"createImageTask", "createVideoTask", "createEffectTask", "createVideoAnalysisTask"}
_ROW = {
    "id": "song-17",
    "song": "https://media.example.com/song.mp3",
    "cover image": "https://media.example.com/cover.png",
    "prompt": "A singer on a rain-wet rooftop",
    "format": "portrait",
    "artist": "Mia",
}
_FLAT = {"schema": {"type": "object", "description": "One row."}, "example": _ROW}
_FORMS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_BODIES: dict[str, Any] = {
    "uploadFile": UPLOAD,
    "trigger": {"required": True, "content": dict.fromkeys(_FORMS, _FLAT)},
}

_INVALID = {
    "description": "The request is invalid; the message names the field and the rule.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}, "example": ERROR}},
}


def illustrate(schema: dict[str, Any]) -> None:
    """Complete each operation that the contract has."""
    bodies, shapes = schemas(list(BODIES.values()))
    schema["components"]["schemas"] |= shapes
    wanted: dict[str, Any] = dict(zip(BODIES, bodies, strict=True))
    wanted |= {name: {"type": "object", "description": "Passed on unread."} for name in _OPEN}
    for operations in schema["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            if name in wanted:
                content = {"schema": wanted[name], "example": REQUESTS[name]}
                operation["requestBody"] = {"required": True, "content": {"application/json": content}}
            elif name in REQUESTS and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = REQUESTS[name]
            if name in _BODIES:
                operation["requestBody"] = _BODIES[name]
            if name in ANSWERS:
                _show(operation, ANSWERS[name])
            if "400" in operation["responses"]:
                operation["responses"]["400"] = _INVALID


def _show(operation: dict[str, Any], data: Any) -> None:
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if status.startswith("2") and content is not None:
            content["example"] = {"data": data}
