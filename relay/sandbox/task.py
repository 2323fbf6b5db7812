"""A task as the sandbox keeps it, and as it shows it to the world."""

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, field

from relay.contract import OPEN, TERMINAL, Media, Output, Shot, Status, Storyboard, Task, TaskUsage

RUNNING_POLL_SECONDS = 10


class SandboxTask(Struct):
    """Everything of one task. Times are Unix seconds."""

    id: str
    workflow: str
    request: dict[str, Any]
    created_at: int
    request_id: str
    faults: dict[str, float]
    number: int = 0
    """Counts the tasks of the world: chance is thrown for each by its number, whatever the others do meanwhile."""
    seconds: int = 0
    """Billable duration."""
    status: str = Status.QUEUED
    shown_status: str | None = None
    """A status that is shown instead, by a fault."""
    updated_at: int = 0
    completed_at: int | None = None
    shots: list[Shot] = field(default_factory=list[Shot])
    usage: TaskUsage = field(default_factory=TaskUsage)
    cut: int = 1
    """How many times its video was asked for: each compose makes another one under the same address."""
    output_url: str = ""
    error_code: str | None = None
    error_message: str | None = None

    @property
    def manual(self) -> bool:
        return self.request.get("compose_mode") == "manual"

    @property
    def aspect_ratio(self) -> str:
        return self.request.get("aspect_ratio") or "16:9"

    @property
    def caption(self) -> str:
        """What its video shows."""
        prompt = str(self.request.get("prompt", ""))
        return prompt if self.cut == 1 else f"{prompt} (cut {self.cut})"

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
            completed_at=self.completed_at if self.status in TERMINAL else None,
            usage=self.usage,
            request_id=self.request_id,
            error_code=self.error_code,
            error_message=self.error_message,
        )
        if self.workflow == "music-video":
            task.storyboard = Storyboard(self.shots)
        if self.output_url:
            task.output = Output([Media("video", self.output_url, "video/mp4")], self.output_url)
        if current:
            task.task_kind, task.capability_id, task.capability_version = "workflow", self.workflow, 1
            task.poll_after_seconds = Decimal(RUNNING_POLL_SECONDS) if self.status in OPEN else UNSET
            task.retryable = self.error_code == "processing_timeout" if self.status == Status.FAILED else UNSET
        return task

    def shot(self, shot_id: str) -> Shot | None:
        """One of its shots."""
        return next((shot for shot in self.shots if shot.id == shot_id), None)
