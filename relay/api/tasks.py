"""The contract's own endpoints: a client of Beat API changes only its base URL."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from relay.contract import Data, Task
from relay.flow.inputs import RULES
from relay.flow.intake import Origin

from .accept import Row, accept
from .answers import (
    BAD_REQUEST,
    CONFLICT,
    MOST_BYTES,
    NOT_FOUND,
    UNAUTHORIZED,
    ClientKey,
    answer,
    checked,
    known_task,
)
from .origin import Batch, Priority, Tags, origin_of
from .parts import TheInputs, TheIntake, TheJournal


class TasksController(Controller):
    """Create tasks and ask how they stand."""

    path = "/v1"
    tags = ("Tasks",)

    @post(
        "/music-video/tasks",
        operation_id="createMusicVideoTask",
        summary="Create a music video task",
        status_code=201,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 409: CONFLICT},
        request_max_body_size=MOST_BYTES,
    )
    async def create_music_video(
        self,
        request: Request[Any, Any, Any],
        intake: TheIntake,
        inputs: TheInputs,
        client_key: ClientKey = None,
        row: Row = None,
        priority: Priority = 0,
        batch: Batch = "",
        tags: Tags = "",
    ) -> Response[Data[Task]]:
        """Checked against every rule, accepted at once, and sent to Beat API when it may be; poll the task or wait for
        a delivery."""
        origin = origin_of(request, priority, batch, tags)
        return await _create(request, intake, inputs, "music-video", client_key, row, origin)

    @post(
        "/ecommerce-video/tasks",
        operation_id="createEcommerceVideoTask",
        summary="Create an e-commerce video task",
        status_code=201,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 409: CONFLICT},
        request_max_body_size=MOST_BYTES,
    )
    async def create_ecommerce_video(
        self,
        request: Request[Any, Any, Any],
        intake: TheIntake,
        inputs: TheInputs,
        client_key: ClientKey = None,
        row: Row = None,
        priority: Priority = 0,
        batch: Batch = "",
        tags: Tags = "",
    ) -> Response[Data[Task]]:
        """Checked against every rule, accepted at once, and sent to Beat API when it may be; poll the task or wait for
        a delivery."""
        origin = origin_of(request, priority, batch, tags)
        return await _create(request, intake, inputs, "ecommerce-video", client_key, row, origin)

    @get(
        "/tasks/{task_id:str}",
        operation_id="getTask",
        summary="Ask how a task stands",
        responses={401: UNAUTHORIZED, 404: NOT_FOUND},
    )
    async def get_task(
        self, request: Request[Any, Any, Any], task_id: FromPath[str], journal: TheJournal
    ) -> Response[Data[Task]]:
        """The relay's latest word on a task; asking costs nothing of Beat API's poll budget."""
        return answer(await known_task(request, journal, task_id), 200)


async def _create(
    request: Request[Any, Any, Any],
    intake: TheIntake,
    inputs: TheInputs,
    workflow: str,
    client_key: str | None,
    row: str | None,
    origin: Origin,
) -> Response[Data[Task]]:
    body, found = await checked(request, inputs, RULES[workflow])
    return await accept(request, intake, workflow, body, client_key, row, found.warnings, origin)
