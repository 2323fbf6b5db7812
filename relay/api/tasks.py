"""The contract's own endpoints: a client of Beat API changes only its base URL."""

import hashlib
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody

from relay.contract import Data, EcommerceVideoRequest, ErrorEnvelope, MusicVideoRequest, Task, encode
from relay.flow.view import client_task
from relay.journal import TaskRow

from .errors import ApiError
from .parts import TheIntake, TheJournal

MOST_BYTES = 1024 * 1024
ROW_BYTES = 8192


def _refusal(description: str) -> ResponseSpec:
    return ResponseSpec(ErrorEnvelope, description=description, generate_examples=False)


BAD_REQUEST = _refusal("The request is invalid; the message names the field.")
UNAUTHORIZED = _refusal("The API key is missing or not valid.")
NOT_FOUND = _refusal("There is no such task.")
CONFLICT = _refusal("The Idempotency-Key was used with another body.")

ClientKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=255,
        description="The same key with the same body returns the task that it made the first time.",
    ),
]
Row = Annotated[
    str | None,
    HeaderParameter(
        name="X-Beatrelay-Row",
        max_length=ROW_BYTES,
        description="A JSON object of your own facts; recipes see it as `row`.",
    ),
]


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
        request: Request[Any, Any, State],
        data: JSONBody[MusicVideoRequest],  # noqa: ARG002 (declared so that the body is checked and documented)
        intake: TheIntake,
        client_key: ClientKey = None,
        row: Row = None,
    ) -> Response[Data[Task]]:
        """Accepted at once and sent to Beat API when it may be; poll the task or wait for a delivery."""
        return await _create(request, intake, "music-video", client_key, row)

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
        request: Request[Any, Any, State],
        data: JSONBody[EcommerceVideoRequest],  # noqa: ARG002 (declared so that the body is checked and documented)
        intake: TheIntake,
        client_key: ClientKey = None,
        row: Row = None,
    ) -> Response[Data[Task]]:
        """Accepted at once and sent to Beat API when it may be; poll the task or wait for a delivery."""
        return await _create(request, intake, "ecommerce-video", client_key, row)

    @get(
        "/tasks/{task_id:str}",
        operation_id="getTask",
        summary="Ask how a task stands",
        responses={401: UNAUTHORIZED, 404: NOT_FOUND},
    )
    async def get_task(self, task_id: FromPath[str], journal: TheJournal) -> Response[Data[Task]]:
        """The relay's latest word on a task; asking costs nothing of Beat API's poll budget."""
        task = await journal.tasks.get(task_id)
        if task is None:
            raise ApiError(404, f"There is no task {task_id[:80]}.")
        return _answer(task, 200)


async def _create(
    request: Request[Any, Any, State], intake: TheIntake, workflow: str, client_key: str | None, row: str | None
) -> Response[Data[Task]]:
    body = (await request.body()).decode()  # as it came: fields we do not know travel on
    key = f"{_digest(request.headers.get('authorization', ''))}:{client_key}" if client_key else None
    task = await intake.accept(workflow, body, row=_row(row), client_key=key)
    if key is not None and (task.workflow, _canonical(task.request)) != (workflow, _canonical(body)):
        raise ApiError(409, "This Idempotency-Key was used with another body.", code="idempotency_conflict")
    return _answer(task, 201)


def _answer(task: TaskRow, status: int) -> Response[Any]:
    body = encode({"data": client_task(task)})
    return Response(body, status_code=status, media_type="application/json")


def _row(text: str | None) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text or "{}", type=dict[str, Any])).decode()
    except msgspec.MsgspecError as error:
        raise ApiError(400, f"X-Beatrelay-Row must be a JSON object: {error}") from error


def _canonical(body: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(body), order="sorted")


def _digest(text: str) -> str:
    """Two clients with different keys may use the same idempotency key; the key itself is not stored."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
