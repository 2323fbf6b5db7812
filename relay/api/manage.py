"""The relay's own management endpoints: what happened, and why."""

from typing import Annotated, Any

from litestar import Controller, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from relay.contract import Data, ErrorEnvelope, Listing
from relay.flow.why import Story, as_json, tell
from relay.journal import TaskRow

from .errors import ApiError
from .parts import TheJournal


class TaskSummary(Struct):
    """One line of the list of tasks. Times are Unix seconds."""

    id: str
    workflow: str
    status: str
    revision: int
    told_by: str | None
    confirmed: bool
    polls: int
    created_at: float
    updated_at: float


class ManageController(Controller):
    """Support records."""

    path = "/relay/v1"
    tags = ("Relay",)

    @get("/tasks", operation_id="listTasks", summary="List tasks, newest first")
    async def list_tasks(
        self,
        journal: TheJournal,
        limit: Annotated[int, QueryParameter(ge=1, le=500, description="Most tasks to return.")] = 50,
        before: Annotated[str | None, QueryParameter(description="The last id of the page before.")] = None,
    ) -> Data[Listing[TaskSummary]]:
        """Every task that this relay knows."""
        return Data(Listing([_summary(task) for task in await journal.tasks.recent(limit, before)]))

    @get(
        "/tasks/{task_id:str}",
        operation_id="whyTask",
        summary="Tell a task's whole story",
        responses={404: ResponseSpec(ErrorEnvelope, description="There is no such task.", generate_examples=False)},
    )
    async def why_task(self, task_id: FromPath[str], journal: TheJournal) -> Response[Story]:
        """One causal timeline: each receipt with its verdict, each telling poll, each delivery and attempt, and
        what happens next and when."""
        story = await tell(journal, task_id)
        if story is None:
            raise ApiError(404, f"There is no task {task_id[:80]}.")
        body: Any = as_json(story)
        return Response(body, media_type="application/json")


def _summary(task: TaskRow) -> TaskSummary:
    return TaskSummary(
        id=task.id,
        workflow=task.workflow,
        status=task.status,
        revision=task.revision,
        told_by=task.told_by,
        confirmed=task.confirmed,
        polls=task.polls,
        created_at=task.created_at,
        updated_at=task.updated_at,
    )
