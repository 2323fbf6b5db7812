"""What the contract's endpoints share: how a body is read and checked, how a task is answered, what can be refused."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

from relay.contract import ErrorEnvelope, encode
from relay.flow.inputs import Checked, Inputs, Rules
from relay.flow.view import client_task
from relay.journal import Journal, TaskRow

from .auth import caller_of
from .errors import ApiError

MOST_BYTES = 1024 * 1024


def refusal(description: str) -> ResponseSpec:
    """How a refusal is documented."""
    return ResponseSpec(ErrorEnvelope, description=description, generate_examples=False)


BAD_REQUEST = refusal("The request is invalid; `details` names each field, its value and the rule.")
UNAUTHORIZED = refusal("The API key is missing or not valid.")
NO_BALANCE = refusal("The balance of the Beat API account is too low.")
NOT_FOUND = refusal("There is no such task.")
CONFLICT = refusal("The Idempotency-Key was used with another body, or the task's state does not allow it now.")
UNAVAILABLE = refusal("Beat API cannot be asked now.")

ClientKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=255,
        description="For 24 hours, the same key with the same body returns what it made the first time.",
    ),
]


async def checked(request: Request[Any, Any, Any], inputs: Inputs, by: Rules) -> tuple[str, Checked]:
    """The body as it came (fields we do not know travel on) and its warnings; refuses all violations at once."""
    body = await request.body()
    found = await inputs.check(body, by)
    if found.violations:
        message = "; ".join(map(str, found.violations)) + "."
        details = [msgspec.structs.asdict(violation) for violation in found.violations]
        raise ApiError(400, message, details=details)
    return body.decode(), found


async def known_task(request: Request[Any, Any, Any], journal: Journal, task_id: str) -> TaskRow:
    """The task, or 404. A key that the relay made sees its own tasks; with ``operate``, everybody's."""
    task, caller = await journal.tasks.get(task_id), caller_of(request)
    if task is None or (caller.minted and not caller.may("operate") and task.client != caller.id):
        raise ApiError(404, f"There is no task {task_id[:80]}.")
    return task


def answer(task: TaskRow, status: int) -> Response[Any]:
    """The task as the contract shows it."""
    body = encode({"data": client_task(task)})
    return Response(body, status_code=status, media_type="application/json")


def own_key(request: Request[Any, Any, Any], client_key: str | None) -> str | None:
    """The client's idempotency key as it is kept: two clients may use the same, and neither's API key is stored."""
    if not client_key:
        return None
    return f"{client_of(request)}:{client_key}"


def client_of(request: Request[Any, Any, Any]) -> str:
    """Who asks, without the API key itself: the same key, the same client."""
    return caller_of(request).id


def same(before: str, now: str) -> bool:
    """Whether two JSON bodies say the same."""
    return _canonical(before) == _canonical(now)


def key_conflict() -> ApiError:
    """The key was used for something else."""
    return ApiError(409, "This Idempotency-Key was used with another body.", code="idempotency_conflict")


def _canonical(body: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(body), order="sorted")
