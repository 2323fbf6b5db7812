"""A task: one request for a video, and everything Beat API says about it while it runs."""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

Credits = Decimal
"""An exact amount of credits. Launch: whole credits. Current: US dollars with two places. Never a float."""

Unit = Literal["credits", "usd"]
"""What an amount is counted in. Amounts of different units are never added, subtracted or compared."""


class Status(StrEnum):
    """The statuses the contract names. A task may show others: they count as not finished."""

    QUEUED = "queued"
    PROCESSING = "processing"
    STORYBOARD_READY = "storyboard_ready"
    REQUIRES_ACTION = "requires_action"
    EDITING = "editing"
    COMPOSING = "composing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED})
"""An end, though ``succeeded`` may be left again: a shot can be edited and the video composed anew."""

ACTIONABLE = frozenset({Status.STORYBOARD_READY, Status.REQUIRES_ACTION})
"""A person must act before anything more happens. Not counted towards the account's concurrency."""

OPEN = frozenset({Status.QUEUED, Status.PROCESSING, Status.EDITING, Status.COMPOSING})
"""Running. Counted towards the account's concurrency."""


OTHER_KINDS = {"images": "image", "videos": "video", "effects": "effect"}
"""Tasks of the current contract that are no workflows: where they are created (``/v1/images/tasks``), and the
``task_kind`` that they then have."""


class Media(Struct):
    """One finished file as the provider hosts it."""

    type: str
    url: str
    mime_type: str | None = None


class Output(Struct):
    """What a succeeded task produced. ``r2_url`` repeats the primary URL and may be missing on the wire."""

    media: list[Media] = field(default_factory=list[Media])
    r2_url: str | None = None


class TaskUsage(Struct):
    """What a task cost, in credits (see :data:`Credits`)."""

    credits_reserved: Credits = Decimal(0)
    credits_settled: Credits = Decimal(0)
    credits_refunded: Credits = Decimal(0)
    credits_charged: Credits = Decimal(0)
    billable_duration_seconds: Credits | UnsetType = UNSET


class Shot(Struct):
    """One shot of a music video's storyboard. ``media`` is present once materialised or edited."""

    id: str
    index: int = 0
    status: str = Status.QUEUED
    created_at: int = 0
    updated_at: int = 0
    duration_seconds: Credits | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    lyric_text: str | UnsetType = UNSET
    media: Media | UnsetType = UNSET


class ShotMedia(Struct):
    """A shot with a video of its own: the answer to ``…/shots/{shot_id}/media``."""

    task_id: str
    shot_id: str
    index: int
    status: str
    media: Media
    created_at: int
    updated_at: int
    request_id: str
    object: str = "shot_media"


class Storyboard(Struct):
    """The shots of a music video, in order of ``index``."""

    shots: list[Shot] = field(default_factory=list[Shot])


class Task(Struct):
    """A task as the contract shows it. Only ``id`` and ``status`` are required to read one.

    Times are Unix seconds. ``output`` is null until the task succeeds.
    """

    id: str
    status: str
    object: str = "task"
    workflow: str | UnsetType = UNSET
    stage: str | UnsetType = UNSET
    storyboard: Storyboard | UnsetType = UNSET
    created_at: int = 0
    updated_at: int = 0
    completed_at: int | None = None
    output: Output | None = None
    usage: TaskUsage = field(default_factory=TaskUsage)
    request_id: str = ""
    error_code: str | None = None
    error_message: str | None = None
    # current contract only
    task_kind: str | UnsetType = UNSET
    capability_id: str | UnsetType = UNSET
    capability_version: int | UnsetType | None = UNSET
    model: str | UnsetType = UNSET
    media_type: str | UnsetType = UNSET
    poll_after_seconds: Credits | UnsetType = UNSET
    retryable: bool | UnsetType = UNSET


def asked_as(task: Task) -> str:
    """What it was asked for as: the word in the path of its create. Empty if nothing tells."""
    if isinstance(task.workflow, str):
        return task.workflow
    return next((asked for asked, kind in OTHER_KINDS.items() if kind == task.task_kind), "")
