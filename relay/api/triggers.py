"""Triggers: a no-code tool sends one row, and it becomes one task, however often it is sent."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec
from litestar import Controller, Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from relay.contract import Credits, Unit, encode
from relay.contract.pricing import Estimate
from relay.flow.triggers import Ask, Changed, FieldProblem, Invalid, Plan, State, Triggers
from relay.sheets import SheetError
from relay.sheets.flat import Field, fields_of

from .answers import BAD_REQUEST, MOST_BYTES, UNAUTHORIZED, refusal
from .batches import Pairs, pairs
from .errors import ApiError
from .origin import Priority, Recipes, Tags, chosen, origin_of
from .parts import TheShelf, TheTriggers

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
CHANGED = refusal("The id was asked for before with other content; `details` says what differs.")
_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class Triggered(Struct, kw_only=True):
    """What became of a row. Everything but `request`, `row` and `understood` is flat, for tools that pick fields."""

    object: Literal["trigger"] = "trigger"
    trigger: str
    state: State
    """`new`: this call made the task. `known`: the same row was sent before, and nothing more is charged. `failed`: so
    it was, and it failed; `failed=true` asks again. Only in a dry run, `changed`: see the 409."""
    dry_run: bool = False
    task_id: str | None = None
    status: str | None = None
    """Of the task."""
    status_url: str | None = None
    """Tells how the task stands, to the same API key."""
    workflow: str
    unit: Unit
    price_least: Credits | None
    """What a new task costs. `null`: the rate table does not know."""
    price_most: Credits | None
    balance: Credits | None = None
    """Only in a dry run."""
    enough: Literal["yes", "no", "perhaps"] | None = None
    """Whether the balance is, for this row. Only in a dry run."""
    request: dict[str, Any]
    """The body of the create."""
    row: dict[str, str]
    """What recipes see as `row`, besides `row.trigger`."""
    understood: dict[str, str]
    """What each field that was sent was understood as."""
    warnings: list[str]


KNOWN = ResponseSpec(Triggered, description="Nothing new was made: a known row, or a dry run.", generate_examples=False)


class TriggersController(Controller):
    """For Zapier, Make, n8n and whatever can post a form."""

    path = "/relay/v1/triggers"
    tags = ("Triggers",)

    @post(
        "/{name:str}",
        operation_id="trigger",
        summary="Ask for one video",
        status_code=201,
        responses={200: KNOWN, 400: BAD_REQUEST, 401: UNAUTHORIZED, 409: CHANGED},
        request_max_body_size=MOST_BYTES,
        opt={"scope": "submit", "signed": "name"},
    )
    async def trigger(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        triggers: TheTriggers,
        shelf: TheShelf,
        dry_run: Annotated[
            bool, QueryParameter(description="Answer with the plan and its price; send nothing.")
        ] = False,
        changed: Annotated[
            bool, QueryParameter(description="Make a row anew whose content has changed; it is charged again.")
        ] = False,
        failed: Annotated[bool, QueryParameter(description="Make a row anew that failed.")] = False,
        column: Pairs = None,
        default: Pairs = None,
        recipe: Recipes = None,
        priority: Priority = 0,
        tags: Tags = "",
    ) -> Response[Triggered]:
        """The body is one row: flat JSON or a form. Names are matched as kindly as a spreadsheet's columns (`song`,
        `Cover image`, `format`), and what nobody knows is a fact for recipes. `{name}` is yours to choose: recipes
        match its tasks by the tag `trigger:{name}`.

        A row is known by its `id` field within the trigger, else by its content: sent again, it answers 200 with the
        same task. 201 means that this call made it. `column=Track link=audio_url` says what a field means;
        `default=aspect_ratio=9:16` fills in what is left out."""
        if not NAME.fullmatch(name):
            raise ApiError(400, f"The trigger's name is {name[:80]!r}; it must be 1 to 50 of A-Z, a-z, 0-9 and . _ -")
        origin = origin_of(request, priority, "", ",".join([f"trigger:{name}", tags]), chosen(shelf, recipe))
        mapping, defaults = pairs(column, "column"), pairs(default, "default")
        try:
            plan = await triggers.plan(Ask(name, await _fields(request), origin, mapping, defaults))
            if dry_run:
                return await _planned(plan, triggers)
            task, state = await triggers.run(plan, changed=changed, failed=failed)
        except SheetError as error:
            raise ApiError(400, f"The body is no row: {error}.") from error
        except Invalid as error:
            details = [msgspec.structs.asdict(one) for one in error.problems]
            raise ApiError(400, f"{error}.", details=details) from error
        except Changed as error:
            raise _conflict(error, f"{triggers.url}/relay/v1/triggers/{name}", triggers) from error
        told = _told(plan, state, triggers.price(plan))
        told.task_id, told.status, told.status_url = task.id, task.status, _status_url(triggers, task.id)
        return _answer(told, 201 if state == "new" else 200)


async def _fields(request: Request[Any, Any, Any]) -> list[Field]:
    """The body as names and texts. Raises :class:`SheetError` and :class:`ApiError`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _MULTIPART:
        return _parts(list((await request.form()).multi_items()))
    body = await request.body()
    if kind == _FORM or (kind != "application/json" and not body.lstrip().startswith((b"{", b"["))):
        return _form(body)
    try:
        document: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(400, f"The body is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise SheetError("it must be one JSON object; send one request a row, not wrapped in an array")
    return fields_of(document)  # pyright: ignore[reportUnknownArgumentType]


def _form(body: bytes) -> list[Field]:
    try:
        return parse_qsl(body.decode(), max_num_fields=1000, errors="strict")
    except ValueError as error:
        raise SheetError(f"it is neither JSON nor a form ({error}); send application/json") from error


def _parts(parts: list[tuple[str, Any]]) -> list[Field]:
    for name, value in parts:
        if not isinstance(value, str):
            rule, fix = "is a file", "send a link to it; `POST /v1/files` makes one of a file"
            problem = FieldProblem(name, str(getattr(value, "filename", "")), rule, fix)
            raise Invalid([problem])
    return [(name, str(value)) for name, value in parts]


async def _planned(plan: Plan, triggers: Triggers) -> Response[Triggered]:
    quote = await triggers.quote(plan)
    told = _told(plan, plan.state, quote.items[0])
    told.dry_run, told.balance, told.enough = True, quote.balance, quote.enough
    if plan.last is not None:
        told.task_id, told.status = plan.last.task_id, plan.last.status
        told.status_url = _status_url(triggers, plan.last.task_id)
    return _answer(told, 200)


def _told(plan: Plan, state: State, price: Estimate) -> Triggered:
    return Triggered(
        trigger=plan.trigger,
        state=state,
        workflow=plan.row.workflow,
        unit=price.unit,
        price_least=price.least,
        price_most=price.most,
        request=plan.row.request,
        row=plan.row.facts,
        understood=plan.columns.meanings(),
        warnings=plan.warnings,
    )


def _conflict(error: Changed, url: str, triggers: Triggers) -> ApiError:
    task, changed = error.task, f"{url}?changed=true"
    status_url = _status_url(triggers, task.id)
    what = ", ".join(one.field for one in error.differences)
    message = (
        f"The id {error.row_id[:80]!r} was asked for before, with another {what}: as {task.id}, which is {task.status}"
        f" ({status_url}). Nothing was sent. To make it anew, and be charged again, post it to {changed}; to make"
        " another video, give it another id."
    )
    earlier = {"task_id": task.id, "status": task.status, "status_url": status_url, "again_url": changed}
    details = [{**msgspec.structs.asdict(one), **earlier} for one in error.differences]
    return ApiError(409, message, code="row_changed", details=details)


def _status_url(triggers: Triggers, task_id: str) -> str:
    return f"{triggers.url}/v1/tasks/{task_id}"


def _answer(told: Triggered, status: int) -> Response[Any]:
    return Response(encode(told), status_code=status, media_type="application/json")
