"""Tasks of the current contract whose bodies the relay does not read: accepted, sent once, polled and delivered like
any other."""

from typing import Any

from litestar import Controller, Request, Response, post

from relay.contract import Data, Task

from .accept import Row, accept
from .answers import BAD_REQUEST, CONFLICT, MOST_BYTES, UNAUTHORIZED, ClientKey
from .parts import TheIntake
from .passing import object_body

REFUSALS = {400: BAD_REQUEST, 401: UNAUTHORIZED, 409: CONFLICT}


class OtherTasksController(Controller):
    """What the provider refuses of them fails as a task, with its reason; nothing is charged then."""

    path = "/v1"
    tags = ("Other tasks",)

    @post(
        "/images/tasks",
        operation_id="createImageTask",
        summary="Create an image task",
        status_code=201,
        request_max_body_size=MOST_BYTES,
        responses=REFUSALS,
    )
    async def create_images(
        self, request: Request[Any, Any, Any], intake: TheIntake, client_key: ClientKey = None, row: Row = None
    ) -> Response[Data[Task]]:
        """Needs `model` and `prompt`."""
        return await _create(request, intake, "images", client_key, row)

    @post(
        "/videos/tasks",
        operation_id="createVideoTask",
        summary="Create a video task",
        status_code=201,
        request_max_body_size=MOST_BYTES,
        responses=REFUSALS,
    )
    async def create_videos(
        self, request: Request[Any, Any, Any], intake: TheIntake, client_key: ClientKey = None, row: Row = None
    ) -> Response[Data[Task]]:
        """Needs `model` and `prompt`."""
        return await _create(request, intake, "videos", client_key, row)

    @post(
        "/effects/tasks",
        operation_id="createEffectTask",
        summary="Create an effect task",
        status_code=201,
        request_max_body_size=MOST_BYTES,
        responses=REFUSALS,
    )
    async def create_effects(
        self, request: Request[Any, Any, Any], intake: TheIntake, client_key: ClientKey = None, row: Row = None
    ) -> Response[Data[Task]]:
        """Needs `effect_id` and `images`."""
        return await _create(request, intake, "effects", client_key, row)

    @post(
        "/video-analysis/tasks",
        operation_id="createVideoAnalysisTask",
        summary="Create a video analysis task",
        status_code=201,
        request_max_body_size=MOST_BYTES,
        responses=REFUSALS,
    )
    async def create_video_analysis(
        self, request: Request[Any, Any, Any], intake: TheIntake, client_key: ClientKey = None, row: Row = None
    ) -> Response[Data[Task]]:
        """Needs `video_url`, which was uploaded with `POST /v1/files`, and `prompt`."""
        return await _create(request, intake, "video-analysis", client_key, row)


async def _create(
    request: Request[Any, Any, Any], intake: TheIntake, workflow: str, client_key: str | None, row: str | None
) -> Response[Data[Task]]:
    body = (await object_body(request)).decode()
    return await accept(request, intake, workflow, body, client_key, row)
