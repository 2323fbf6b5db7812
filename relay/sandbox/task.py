"""A task as the sandbox keeps it, and as it shows it to the world."""

from decimal import Decimal
from typing import Any

from msgspec import UNSET, Struct, field

from relay.contract import OPEN, OTHER_KINDS, TERMINAL, Media, Output, Shot, Status, Storyboard, Task, TaskUsage

RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4")
POLL_SECONDS = {"image": 5, "video": 8, "effect": 8}
"""What a running task of each kind asks a client to wait; the others 10 s."""


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
        asked = self.request.get("aspect_ratio")
        return asked if asked in RATIOS else "16:9"

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
            task.output = self._output()
        if current:
            self._show_current(task)
        return task

    def _output(self) -> Any:
        if self.workflow == "video-analysis":
            usage = {"input_tokens": 900, "output_tokens": 100, "total_tokens": 1000}
            return {"text": f"A video, asked about: {self.caption}", "usage": usage, "finish_reason": "stop"}
        kind, mime = ("image", "image/png") if self.workflow == "images" else ("video", "video/mp4")
        return Output([Media(kind, self.output_url, mime)], self.output_url)

    def _show_current(self, task: Task) -> None:
        """What the current contract says on top."""
        kind = OTHER_KINDS.get(self.workflow, "workflow")
        task.task_kind, task.capability_id, task.capability_version = kind, self.workflow, 1
        if kind != "workflow":
            asked = str(self.request.get("model") or self.request.get("effect_id"))
            task.workflow, task.model, task.capability_id = UNSET, asked, asked
            task.media_type, task.capability_version = "image" if kind == "image" else "video", None
        task.poll_after_seconds = Decimal(POLL_SECONDS.get(kind, 10)) if self.status in OPEN else UNSET
        task.retryable = self.error_code == "processing_timeout" if self.status == Status.FAILED else UNSET

    def shot(self, shot_id: str) -> Shot | None:
        """One of its shots."""
        return next((shot for shot in self.shots if shot.id == shot_id), None)
