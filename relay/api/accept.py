"""How a create is accepted, whatever kind of task it asks for."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.params import HeaderParameter

from relay.contract import Data, Task
from relay.flow.intake import Intake, Origin

from .answers import ClientKey, answer, key_conflict, own_key, same
from .errors import ApiError
from .origin import origin_of

ROW_BYTES = 8192

Row = Annotated[
    str | None,
    HeaderParameter(
        name="X-Beatrelay-Row",
        max_length=ROW_BYTES,
        description="A JSON object of your own facts; recipes see it as `row`.",
    ),
]


async def accept(
    request: Request[Any, Any, Any],
    intake: Intake,
    workflow: str,
    body: str,
    client_key: ClientKey,
    row: str | None,
    warnings: Sequence[str] = (),
    origin: Origin | None = None,
) -> Response[Data[Task]]:
    """Write a checked ``body`` down as a queued task and answer with it; it is sent when it may be."""
    key = own_key(request, client_key)
    origin = origin or origin_of(request)
    task = await intake.accept(workflow, body, row=_row(row), client_key=key, warnings=warnings, origin=origin)
    if key is not None and not (task.workflow == workflow and same(task.request, body)):
        raise key_conflict()
    return answer(task, 201)


def _row(text: str | None) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text or "{}", type=dict[str, Any])).decode()
    except msgspec.MsgspecError as error:
        raise ApiError(400, f"X-Beatrelay-Row must be a JSON object: {error}") from error
