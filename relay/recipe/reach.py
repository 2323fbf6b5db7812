"""What a template can see. One place, so that the check, the preview and the docs agree."""

from relay.contract import Task

TASK = frozenset(Task.__struct_fields__)
EVENT = frozenset({"id", "type", "created_at", "revision"})
MEDIA = frozenset({"url", "source_url", "name", "mime_type", "size", "sha256", "index"})
STEP = frozenset({"url", "detail"})
DELIVERY = frozenset({"id", "recipe", "step", "error", "attempts"})

EVERYWHERE = frozenset({"task", "event", "row", "vars"})
IN_STEPS = EVERYWHERE | {"media", "steps"}
IN_FAILURE = IN_STEPS | {"delivery"}
"""``on_failure`` also sees the delivery that is dead."""

FIELDS: dict[str, frozenset[str]] = {"task": TASK, "event": EVENT, "delivery": DELIVERY}
"""What is known of each thing at its first level; ``row`` and ``vars`` are open."""


def sample_step() -> dict[str, object]:
    """What an earlier step may have brought: the details of the shipped connectors together."""
    detail: dict[str, object] = {
        "path": "/srv/videos/sample.mp4",
        "bytes": 12_345_678,
        "sha256": "0" * 64,
        "status": 200,
        "response": "ok",
        "json": {},
    }
    return {"url": "https://example.com/result-of-the-step", "detail": detail}


def sample(event: str = "task.succeeded") -> dict[str, object]:
    """A realistic thing to render against, when there is no real task yet."""
    failed = event == "task.failed"
    task: dict[str, object] = {
        "id": "task_01k9sample0000000000000000",
        "object": "task",
        "workflow": "music-video",
        "status": "failed" if failed else "succeeded",
        "stage": "failed" if failed else "succeeded",
        "storyboard": {"shots": []},
        "created_at": 1784188800,
        "updated_at": 1784188934,
        "completed_at": 1784188934,
        "output": None
        if failed
        else {"media": [{"type": "video", "url": "https://media.example.com/v.mp4", "mime_type": "video/mp4"}]},
        "usage": {
            "credits_reserved": 75,
            "credits_charged": 75,
            "credits_settled": 0 if failed else 75,
            "credits_refunded": 75 if failed else 0,
            "billable_duration_seconds": 15,
        },
        "request_id": "req_sample",
        "error_code": "processing_failed" if failed else None,
        "error_message": "No usable video output was produced." if failed else None,
    }
    file: dict[str, object] = {
        "url": "http://127.0.0.1:8787/media/med_sample/task_01k9sample.mp4",
        "source_url": "https://media.example.com/v.mp4",
        "name": "task_01k9sample0000000000000000.mp4",
        "mime_type": "video/mp4",
        "size": 12_345_678,
        "sha256": "0" * 64,
        "index": 0,
    }
    return {
        "task": task,
        "event": {"id": "evt_sample", "type": event, "created_at": 1784188935, "revision": 1},
        "row": {"artist": "Neon Tide", "title": "Rooftop Season"},
        "media": [] if failed else [file],
        "steps": {},
        "delivery": {
            "id": "dlv_sample",
            "recipe": "sample",
            "step": "post",
            "error": "it answered 500",
            "attempts": 12,
        },
    }
