"""The relay's own management endpoints: what happened, and why."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from relay.contract import Data, ErrorEnvelope, Listing
from relay.flow.settle import Decision, Question, Settled, SettleError, Sweeping
from relay.flow.why import Story, as_json, tell
from relay.journal import TaskRow

from .errors import ApiError
from .parts import TheJournal, TheSettler


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
    client: str
    """Who asked for it: a fingerprint, or the id, of the API key."""
    batch: str
    tags: list[str]


class Settlement(Struct):
    """A person's decision on a task whose create nobody knows the fate of."""

    decision: Decision
    """``adopt`` (it is `provider_id`), ``resubmit`` (send it again, at the risk of paying twice) or ``abandon``."""
    provider_id: str | None = None
    """The provider's id of the task, to adopt it."""


class Sweep(Struct, forbid_unknown_fields=True):
    """One decision on many tasks: on all that fit every condition given. At least one is needed."""

    decision: Sweeping
    """``resubmit`` (send them again, at the risk of paying twice) or ``abandon``."""
    task_ids: Annotated[list[str], Meta(max_length=1000)] = []
    error: str = ""
    """Text that stands in the reason that ``GET /relay/v1/unconfirmed`` tells."""
    confirm: bool = False
    """False counts what would happen; true does it."""


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
        batch: Annotated[str | None, QueryParameter(description="Only this batch.")] = None,
    ) -> Data[Listing[TaskSummary]]:
        """Every task that this relay knows."""
        return Data(Listing([_summary(task) for task in await journal.tasks.recent(limit, before, batch)]))

    @get("/unconfirmed", operation_id="listUnconfirmed", summary="List what a person must settle")
    async def list_unconfirmed(self, settler: TheSettler) -> Data[Listing[Question]]:
        """Operations whose answer was lost where a repeat could cost twice. The relay adopts a task by itself when a
        webhook leaves no doubt; all else waits here."""
        return Data(Listing(await settler.questions()))

    @post(
        "/unconfirmed/settle",
        operation_id="settleUnconfirmed",
        summary="Settle many unconfirmed tasks",
        status_code=200,
    )
    async def settle_unconfirmed(self, data: JSONBody[Sweep], settler: TheSettler) -> Data[Settled]:
        """Counts them; decides only with ``confirm``. To adopt a task that was accepted after all, settle it alone."""
        if not (data.task_ids or data.error):
            raise ApiError(400, "Say which: give task_ids or error.")
        settled = await settler.settle_many(data.decision, set(data.task_ids), data.error, run=data.confirm)
        return Data(settled)

    @post(
        "/tasks/{task_id:str}/settle",
        operation_id="settleTask",
        summary="Settle an unconfirmed task",
        status_code=200,
        responses={
            404: ResponseSpec(ErrorEnvelope, description="The provider does not know it.", generate_examples=False),
            409: ResponseSpec(ErrorEnvelope, description="There is nothing to settle so.", generate_examples=False),
            503: ResponseSpec(ErrorEnvelope, description="The provider cannot be asked.", generate_examples=False),
        },
    )
    async def settle_task(
        self, task_id: FromPath[str], data: JSONBody[Settlement], settler: TheSettler, journal: TheJournal
    ) -> Data[TaskSummary]:
        """Decide what becomes of a task whose create was sent and never heard of again."""
        try:
            await settler.settle(task_id, data.decision, data.provider_id)
        except SettleError as error:
            raise ApiError(error.status, str(error)) from error
        task = await journal.tasks.get(task_id)
        assert task is not None, "it was there a moment ago, and tasks are never deleted"
        return Data(_summary(task))

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
        client=task.client,
        batch=task.batch,
        tags=msgspec.json.decode(task.tags, type=list[str]),
    )
