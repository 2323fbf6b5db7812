"""The submission queue as people see and change it."""

from typing import Annotated

from litestar import Controller, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from relay.contract import Data
from relay.flow.cancel import Cancelled, TooLate

from .answers import CONFLICT, NOT_FOUND
from .errors import ApiError
from .parts import TheCanceller, TheIntake, TheJournal


class Reprioritise(Struct):
    """A new place in the queue."""

    priority: Annotated[int, Meta(ge=-9, le=9)]
    """-9 to 9; higher goes first."""


class Reprioritised(Struct):
    """What was moved."""

    task_id: str
    priority: int


class QueueController(Controller):
    """What waits to be sent."""

    path = "/relay/v1/tasks/{task_id:str}"
    tags = ("Relay",)

    @post(
        "/cancel",
        operation_id="cancelTask",
        summary="Cancel what was not sent yet",
        status_code=200,
        responses={404: NOT_FOUND, 409: CONFLICT},
    )
    async def cancel(self, task_id: FromPath[str], canceller: TheCanceller) -> Data[Cancelled]:
        """Only what still waits in the queue can be cancelled; nothing is charged for it. A cancelled create ends its
        task as failed, with `error_code` *cancelled*."""
        try:
            cancelled = await canceller.cancel(task_id)
        except TooLate as error:
            raise ApiError(409, f"{error}.", code="bad_request") from error
        if cancelled is None:
            raise ApiError(404, f"There is no task {task_id[:80]}.")
        return Data(cancelled)

    @post(
        "/priority",
        operation_id="prioritiseTask",
        summary="Change a task's place in the queue",
        status_code=200,
        responses={404: NOT_FOUND, 409: CONFLICT},
    )
    async def prioritise(
        self, task_id: FromPath[str], data: JSONBody[Reprioritise], journal: TheJournal, intake: TheIntake
    ) -> Data[Reprioritised]:
        """Higher goes first; within one priority, clients and their batches take turns."""
        if not await journal.queue.reprioritise(task_id, data.priority):
            if await journal.tasks.get(task_id) is None:
                raise ApiError(404, f"There is no task {task_id[:80]}.")
            raise ApiError(409, f"Nothing of task {task_id} waits in the queue any more.", code="bad_request")
        intake.nudge()
        return Data(Reprioritised(task_id, data.priority))
