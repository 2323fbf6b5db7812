"""What Zapier, Make, n8n and Pipedream like to get: one flat event, every key always there, links and no bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from .base import Reject

PresetName = Literal["zapier", "make", "n8n", "pipedream"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One tool's habits."""

    title: str
    most_bytes: int
    """The largest body that it takes."""


PRESETS: dict[str, Preset] = {
    "zapier": Preset("Zapier", 10_000_000),
    "make": Preset("Make", 5 * 1024 * 1024),
    "n8n": Preset("n8n", 16 * 1024 * 1024),
    "pipedream": Preset("Pipedream", 512 * 1000),
}


def flat(event: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The event without any nesting: a tool learns all of its fields from one sample, whatever became of the task.

    The cells of the row follow as ``row_<name>``; ``more`` is the recipe's own and wins.
    """
    task: Mapping[str, Any] = event.get("task") or {}
    files: list[Mapping[str, Any]] = event.get("media") or [{}]
    media = files[0]
    usage: Mapping[str, Any] = task.get("usage") or {}
    known: dict[str, Any] = {
        "id": event.get("id"),
        "event": event.get("type"),
        "revision": event.get("revision"),
        "task_id": task.get("id"),
        "status": task.get("status"),
        "workflow": task.get("workflow"),
        "video_url": media.get("url"),
        "source_video_url": media.get("source_url"),
        "file_name": media.get("name"),
        "content_type": media.get("mime_type"),
        "size_bytes": media.get("size"),
        "sha256": media.get("sha256"),
        "duration_seconds": usage.get("billable_duration_seconds"),
        "credits_charged": usage.get("credits_charged"),
        "credits_refunded": usage.get("credits_refunded"),
        "error_code": task.get("error_code"),
        "error_message": task.get("error_message"),
        "created_at": _iso(task.get("created_at")),
        "completed_at": _iso(task.get("completed_at")),
        "sent_for": _iso(event.get("created_at")),
    }
    cells: Mapping[str, Any] = event.get("row") or {}
    return {**known, **{f"row_{name}": value for name, value in cells.items()}, **more}


def refuse_too_large(preset: str, size: int) -> None:
    """Raises :class:`Reject` for a body that the tool would not take: no retry would make it smaller."""
    tool = PRESETS[preset]
    if size > tool.most_bytes:
        raise Reject(
            f"the body has {size} bytes and {tool.title} takes {tool.most_bytes};"
            " send less in `body:`, and links instead of contents"
        )


def _iso(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
