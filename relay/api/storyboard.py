"""A music video's storyboard: look at a shot, edit it, compose the final video."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, post
from litestar.params import FromPath

from relay.contract import Data, ShotMedia, Task, rules
from relay.flow.intake import Intake
from relay.flow.operate import Kind, NotNow
from relay.journal import Conflict, Journal

from .answers import (
    BAD_REQUEST,
    CONFLICT,
    MOST_BYTES,
    NOT_FOUND,
    UNAUTHORIZED,
    UNAVAILABLE,
    ClientKey,
    answer,
    checked,
    key_conflict,
    known_task,
    own_key,
    same,
)
from .errors import ApiError
from .parts import TheInputs, TheIntake, TheJournal, TheProvider


class StoryboardController(Controller):
    """Edits and composes are accepted at once and sent exactly like a create; both cost credits."""

    path = "/v1/music-video/tasks/{task_id:str}"
    tags = ("Storyboard",)

    @post(
        "/shots/{shot_id:str}/edit",
        operation_id="editMusicVideoShot",
        summary="Edit a shot",
        status_code=202,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 404: NOT_FOUND, 409: CONFLICT},
        request_max_body_size=MOST_BYTES,
    )
    async def edit_shot(
        self,
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        shot_id: FromPath[str],
        intake: TheIntake,
        inputs: TheInputs,
        journal: TheJournal,
        client_key: ClientKey = None,
    ) -> Response[Data[Task]]:
        """Make one shot anew. The final video changes only when it is composed again."""
        body, _ = await checked(request, inputs, rules.shot_edit)
        return await _operate(request, intake, journal, task_id, "edit", body, shot_id, client_key)

    @post(
        "/compose",
        operation_id="composeMusicVideoTask",
        summary="Compose the final video",
        status_code=202,
        responses={400: BAD_REQUEST, 401: UNAUTHORIZED, 404: NOT_FOUND, 409: CONFLICT},
        request_max_body_size=MOST_BYTES,
    )
    async def compose(
        self,
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        intake: TheIntake,
        inputs: TheInputs,
        journal: TheJournal,
        client_key: ClientKey = None,
    ) -> Response[Data[Task]]:
        """Cut the named shots into the final video, in the order given."""
        body, _ = await checked(request, inputs, rules.compose)
        return await _operate(request, intake, journal, task_id, "compose", body, "", client_key)

    @post(
        "/shots/{shot_id:str}/media",
        operation_id="getMusicVideoShotMedia",
        summary="Get a shot's video",
        status_code=200,
        responses={401: UNAUTHORIZED, 404: NOT_FOUND, 409: CONFLICT, 503: UNAVAILABLE},
    )
    async def shot_media(
        self,
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        shot_id: FromPath[str],
        provider: TheProvider,
        journal: TheJournal,
    ) -> Response[Data[ShotMedia]]:
        """Give one shot a video of its own; free, and the same again when asked again."""
        task = await known_task(request, journal, task_id)
        if task.provider_id is None:
            raise ApiError(409, f"Task {task_id} is not at Beat API yet.", code="bad_request")
        passed = await provider.shot_media(task.provider_id, shot_id)
        document: dict[str, Any] = msgspec.json.decode(passed.body)
        if "data" in document:
            document["data"]["task_id"] = task.id
        body: Any = msgspec.json.encode(document)
        return Response(body, status_code=passed.status, media_type="application/json")


async def _operate(
    request: Request[Any, Any, Any],
    intake: Intake,
    journal: Journal,
    task_id: str,
    kind: Kind,
    body: str,
    target: str,
    client_key: str | None,
) -> Response[Data[Task]]:
    task = await known_task(request, journal, task_id)
    key = own_key(request, client_key)
    if kind == "edit" and not _has_shot(task.observed, target):
        raise ApiError(404, f"Task {task_id} has no shot {target[:80]}.")
    try:
        operation = await intake.operate(task, kind, body, target=target, client_key=key)
    except (NotNow, Conflict) as error:
        raise ApiError(409, f"{error}.", code="bad_request") from error
    if (operation.task_id, operation.kind, operation.target) != (task.id, kind, target) or not same(
        operation.body, body
    ):
        raise key_conflict()
    return answer(task, 202)


def _has_shot(observed: str | None, shot_id: str) -> bool:
    task = msgspec.json.decode(observed, type=Task) if observed else None
    return task is not None and bool(task.storyboard) and any(shot.id == shot_id for shot in task.storyboard.shots)
