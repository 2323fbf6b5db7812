"""How an event is told: to endpoints with the whole task in it, to no-code tools as one flat object."""

import datetime
from collections.abc import Mapping
from typing import Any, cast

import msgspec

SAMPLE_TASK = "task_sample"
SAMPLE_AT = 1784188800
"""When the sample's task was created."""


def event_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """The body that endpoints get: Beat API's names (``event``, ``created_at``, ``data``), and those of Standard
    Webhooks beside them (``type``, ``timestamp``), so that receivers of either can read it."""
    return {
        "id": event["id"],
        "event": event["type"],
        "type": event["type"],
        "created_at": event["created_at"],
        "timestamp": iso(event["created_at"]),
        "data": event["task"],
    }


def flat_event(event: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """The same event without anything nested, for tools whose fields are columns. Every key is always there, null
    when it is not known, so that one sample teaches the whole shape. ``request`` is the body of the create."""
    task, row, usage = event["task"], event["row"], _object(event["task"].get("usage"))
    video = _object(next(iter(event["media"]), None))
    hosted = _object(next(iter(_object(task.get("output")).get("media") or []), None))
    return {
        "id": event["id"],
        "event": event["type"],
        "created_at": iso(event["created_at"]),
        "task_id": task["id"],
        "workflow": task.get("workflow"),
        "status": task.get("status"),
        "revision": event["revision"],
        "title": _text(row.get("title")),
        "artist": _text(row.get("artist")),
        "prompt": _text(request.get("prompt")),
        "aspect_ratio": _text(request.get("aspect_ratio")),
        "resolution": _text(request.get("resolution")),
        "video_url": video.get("url") or hosted.get("url"),
        "source_video_url": hosted.get("url"),
        "file_name": video.get("name"),
        "content_type": video.get("mime_type") or hosted.get("mime_type"),
        "size_bytes": video.get("size"),
        "sha256": video.get("sha256"),
        "duration_seconds": usage.get("billable_duration_seconds"),
        "credits": usage.get("credits_charged"),
        "error_code": task.get("error_code"),
        "error_message": task.get("error_message"),
        "task_created_at": iso(task.get("created_at")),
        "completed_at": iso(task.get("completed_at")),
        "row": msgspec.json.encode(row).decode() if row else None,
    }


def sample(kind: str, base_url: str) -> dict[str, Any]:
    """An event of a task that never was, as :func:`relay.flow.view.event` gives real ones. Its id says so."""
    status = {"task.failed": "failed", "task.requires_action": "requires_action", "task.updated": "processing"}
    task: dict[str, Any] = {
        "id": SAMPLE_TASK,
        "object": "task",
        "workflow": "music-video",
        "status": status.get(kind, "succeeded"),
        "stage": status.get(kind, "succeeded"),
        "created_at": SAMPLE_AT,
        "updated_at": SAMPLE_AT + 240,
        "completed_at": SAMPLE_AT + 240 if kind in ("task.succeeded", "task.failed") else None,
        "output": None,
        "usage": {"credits_reserved": 310, "credits_settled": 0, "credits_refunded": 0, "credits_charged": 0},
        "request_id": "req_sample",
        "error_code": None,
        "error_message": None,
    }
    media: list[dict[str, Any]] = []
    if kind == "task.succeeded":
        url = f"{base_url}/media/med_sample/task_sample.mp4"
        task["output"] = {"media": [{"type": "video", "url": url, "mime_type": "video/mp4"}], "r2_url": url}
        task["usage"] |= {"credits_settled": 310, "credits_charged": 310, "billable_duration_seconds": 62}
        media = [
            {
                "url": url,
                "source_url": url,
                "name": "task_sample.mp4",
                "mime_type": "video/mp4",
                "size": 48123456,
                "sha256": "0" * 64,
                "index": 0,
            }
        ]
    elif kind == "task.failed":
        task["usage"] |= {"credits_refunded": 310}
        task |= {"error_code": "processing_failed", "error_message": "The video could not be made."}
    return {
        "id": f"evt_sample_{kind.removeprefix('task.')}",
        "type": kind,
        "created_at": SAMPLE_AT + 240,
        "revision": 1,
        "task": task,
        "row": {"title": "Neon Rooftop", "artist": "The Samples"},
        "media": media,
    }


SAMPLE_REQUEST = {"prompt": "A singer on a rain-wet rooftop", "aspect_ratio": "9:16", "resolution": "720p"}


def iso(seconds: float | None) -> str | None:
    """Unix seconds as ``2026-01-02T03:04:05Z``."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
