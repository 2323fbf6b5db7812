"""What a template can see. One place, so that the check, the preview and the docs agree."""

from collections.abc import Iterable, Mapping
from typing import Any

from relay.contract import Task

TASK = frozenset({*Task.__struct_fields__, "approval_url"})
"""``approval_url``: a link that lets somebody decide on the storyboard; null while nobody has to."""
EVENT = frozenset({"id", "type", "created_at", "revision"})
MEDIA = frozenset({"url", "source_url", "name", "mime_type", "size", "sha256", "index"})
STEP = frozenset({"url", "detail"})
ANSWER = frozenset({"status", "headers", "text", "json", "truncated"})
"""What a destination said, for ``success_when``."""
DELIVERY = frozenset({"id", "recipe", "step", "error", "attempts"})

BATCH = frozenset({"id", "name", "done", "failed", "credits"})

_OF_A_TASK = frozenset({"task", "row"})
OF_EVENT: dict[str, frozenset[str]] = {
    "task.succeeded": _OF_A_TASK,
    "task.failed": _OF_A_TASK,
    "task.requires_action": _OF_A_TASK,
    "task.updated": _OF_A_TASK,
    "batch.completed": frozenset({"batch"}),
    "delivery.dead": _OF_A_TASK | {"delivery"},
    "schedule": frozenset(),
}
"""What each event brings, besides ``event`` and ``vars``."""
NAMES = ("task", "event", "row", "batch", "delivery")
"""What ``when:`` and ``vars:`` may see, where the event brings it."""

FIELDS: dict[str, frozenset[str]] = {
    "task": TASK,
    "event": EVENT,
    "delivery": DELIVERY,
    "batch": BATCH,
    "item": MEDIA,
    "answer": ANSWER,
}
"""What is known of each thing at its first level; ``row`` and ``vars`` are open."""


def everywhere(events: Iterable[str]) -> frozenset[str]:
    """What ``when:`` sees: what all of a recipe's events bring."""
    known = [OF_EVENT[event] for event in events if event in OF_EVENT]
    brought = {name for name in NAMES if known and all(name in one for one in known)}
    return frozenset(brought | {"event", "vars"})


def in_steps(events: Iterable[str], *, each: bool = False, failure: bool = False) -> frozenset[str]:
    """What the ``with:`` of a step sees. One with ``for_each:`` also sees the ``item``, one in ``on_failure:`` the
    ``delivery`` that is dead."""
    more = {"item"} if each else {"delivery"} if failure else set[str]()
    return everywhere(events) | {"media", "steps"} | more


def complete(context: Mapping[str, Any]) -> dict[str, Any]:
    """``context`` with what only some events bring as null, so that one recipe may be ``on`` several."""
    task = context.get("task")
    return {**context, "task": {"approval_url": None, **task}} if task else {**context}


def nobody() -> dict[str, object]:
    """A task that is none: for a dead letter that was about no task."""
    return {**dict.fromkeys(TASK)}


def sample_step() -> dict[str, object]:
    """What an earlier step may have brought: the details of the shipped connectors together."""
    detail: dict[str, object] = {
        "path": "/srv/videos/sample.mp4",
        "bytes": 12_345_678,
        "sha256": "0" * 64,
        "status": 200,
        "response": "ok",
        "json": {},
        "bucket": "sample-bucket",
        "key": "videos/sample.mp4",
        "channel": "C0123456789",
        "ts": "1784188935.000100",
        "id": "1AbCsample",
        "name": "sample.mp4",
        "folder": "1AbCfolder",
        "row": 7,
    }
    return {"url": "https://example.com/result-of-the-step", "detail": detail}


_STATUS = {"task.failed": "failed", "task.requires_action": "requires_action", "task.updated": "processing"}


def sample(event: str = "task.succeeded") -> dict[str, object]:
    """A realistic thing to render against, when there is no real task yet."""
    failed, done = event == "task.failed", event not in ("task.failed", "task.requires_action", "task.updated")
    status = _STATUS.get(event, "succeeded")
    task: dict[str, object] = {
        "id": "task_01k9sample0000000000000000",
        "object": "task",
        "workflow": "music-video",
        "status": status,
        "stage": "compositing" if event == "task.updated" else status,
        "storyboard": {"shots": []},
        "created_at": 1784188800,
        "updated_at": 1784188934,
        "completed_at": 1784188934 if done or failed else None,
        "output": {"media": [{"type": "video", "url": "https://media.example.com/v.mp4", "mime_type": "video/mp4"}]}
        if done
        else None,
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
        "approval_url": "http://127.0.0.1:8787/approve/sample" if event == "task.requires_action" else None,
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
        "media": [file] if done else [],
        "steps": {},
        "delivery": {
            "id": "dlv_sample",
            "recipe": "sample",
            "step": "post",
            "error": "it answered 500",
            "attempts": 12,
        },
        "batch": {"id": "bat_sample", "name": "June singles", "done": 198, "failed": 2, "credits": 14850},
        "item": file,
    }
