"""A task as the sandbox keeps it, and as it shows it to the world."""

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, field

from relay.contract import OPEN, Media, Output, Shot, Status, Storyboard, Task, TaskUsage

RUNNING_POLL_SECONDS = 10


class SandboxTask(Struct):
    """Everything of one task. Times are Unix seconds."""

    id: str
    workflow: str
    request: dict[str, Any]
    created_at: int
    request_id: str
    faults: dict[str, str]
    status: str = Status.QUEUED
    shown_status: str | None = None
    """A status that is shown instead, by a fault."""
    updated_at: int = 0
    completed_at: int | None = None
    shots: list[Shot] = field(default_factory=list[Shot])
    usage: TaskUsage = field(default_factory=TaskUsage)
    composed: list[str] = field(default_factory=list[str])
    """Shots of the final video, in order; empty: all."""
    output_url: str = ""
    error_code: str | None = None
    error_message: str | None = None

    @property
    def manual(self) -> bool:
        return self.request.get("compose_mode") == "manual"

    @property
    def aspect_ratio(self) -> str:
        return self.request.get("aspect_ratio") or "16:9"

    def show(self, *, current: bool) -> Task:
        """The task as the contract has it."""
        status = self.shown_status or self.status
        task = Task(
            id=self.id,
            status=status,
            stage=status,
            workflow=self.workflow,
            created_at=self.created_at,
            updated_at=self.updated_at,
            completed_at=self.completed_at,
            usage=self.usage,
            request_id=self.request_id,
            error_code=self.error_code,
            error_message=self.error_message,
        )
        if self.workflow == "music-video":
            task.storyboard = Storyboard(self.shots)
        if self.status == Status.SUCCEEDED:
            task.output = Output([Media("video", self.output_url, "video/mp4")], self.output_url)
        if current:
            task.task_kind, task.capability_id, task.capability_version = "workflow", self.workflow, 1
            task.poll_after_seconds = Decimal(RUNNING_POLL_SECONDS) if self.status in OPEN else UNSET
            task.retryable = self.error_code == "processing_timeout" if self.status == Status.FAILED else UNSET
        return task

    def shot(self, shot_id: str) -> Shot | None:
        """One of its shots."""
        return next((shot for shot in self.shots if shot.id == shot_id), None)
