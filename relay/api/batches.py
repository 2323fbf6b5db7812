"""Spreadsheets over HTTP: give a sheet, see its plan, start it, watch it, take the results."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from relay.contract import Credits, Data, Listing, encode
from relay.flow.batches import Line, Summary
from relay.flow.sheets import Answers, BatchPlan, Sheets, UnknownBatch
from relay.journal import BatchRow, RowState
from relay.sheets import SheetError
from relay.sheets.plan import CellProblem
from relay.sheets.put import beside
from relay.sheets.read import MOST_BYTES
from relay.sheets.results import Result

from .answers import BAD_REQUEST, client_of, refusal
from .auth import caller_of
from .errors import ApiError
from .origin import Priority, Recipes, Tags, chosen, origin_of
from .parts import TheBatches, TheJournal, TheSheets, TheShelf

NO_BATCH = refusal("There is no such batch.")
FILE = ResponseSpec(bytes, description="The sheet with its results.", generate_examples=False)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Pairs = Annotated[
    list[str] | None,
    QueryParameter(description="May be repeated."),
]


class BatchSummary(Struct):
    """One line of the list of batches. Times are Unix seconds."""

    id: str
    name: str
    sheet: str
    state: str
    digest: str
    created_at: float
    started_at: float | None
    finished_at: float | None


class BatchLine(Struct, kw_only=True):
    """A row, and what became of it."""

    number: int
    """Its number in the sheet."""
    state: RowState
    status: str
    """Of its task; `invalid`, `waiting` or `skipped` if it has none."""
    task_id: str | None
    video_url: str
    credits: Credits | None
    """Settled, once it has ended."""
    error: str
    """Code, message and refund."""
    finished_at: str
    row: dict[str, Any]
    """What recipes see."""
    problems: list[CellProblem]


class BatchesController(Controller):
    """A sheet becomes a plan, and once it is started, one task a row. The same row is never asked for twice."""

    path = "/relay/v1/batches"
    tags = ("Batches",)

    @post(
        operation_id="planBatch",
        summary="Plan a sheet",
        status_code=201,
        responses={400: BAD_REQUEST},
        request_max_body_size=MOST_BYTES,
        opt={"scope": "submit"},
    )
    async def plan_batch(
        self,
        request: Request[Any, Any, Any],
        sheets: TheSheets,
        shelf: TheShelf,
        name: Annotated[str, QueryParameter(max_length=255, description="The file's name; ids belong to it.")],
        sheet: Annotated[str | None, QueryParameter(description="Which sheet of a workbook.")] = None,
        column: Pairs = None,
        default: Pairs = None,
        recipe: Recipes = None,
        changed: Annotated[bool, QueryParameter(description="Count changed rows in the price.")] = False,
        failed: Annotated[bool, QueryParameter(description="Count rows that failed in the price.")] = False,
        priority: Priority = 0,
        tags: Tags = "",
    ) -> Data[BatchPlan]:
        """The body is the file itself (CSV, XLSX, XLS or ODS). Answers with every row, everything that is wrong with it
        by cell, what was asked for before, and the price against the balance. Nothing is sent until it is started.

        `column=Track link=audio_url` says what a column means; `default=aspect_ratio=9:16` fills in empty cells."""
        try:
            plan = await sheets.plan(
                await request.body(),
                name,
                origin_of(request, priority, "", tags, chosen(shelf, recipe)),
                sheet=sheet,
                mapping=pairs(column, "column"),
                defaults=pairs(default, "default"),
                again=Answers(changed=changed, failed=failed),
            )
        except SheetError as error:
            raise ApiError(400, f"The sheet cannot be planned: {error}.") from error
        return Data(plan)

    @get(operation_id="listBatches", summary="List batches, newest first", opt={"scope": "operate"})
    async def list_batches(
        self,
        journal: TheJournal,
        limit: Annotated[int, QueryParameter(ge=1, le=500, description="Most batches to return.")] = 50,
        before: Annotated[str | None, QueryParameter(description="The last id of the page before.")] = None,
    ) -> Data[Listing[BatchSummary]]:
        """Every sheet that was ever given."""
        return Data(Listing([_summary(batch) for batch in await journal.batches.recent(limit, before)]))

    @get(
        "/{batch_id:str}",
        operation_id="getBatch",
        summary="Ask how a batch stands",
        responses={404: NO_BATCH},
        opt={"scope": "read"},
    )
    async def get_batch(
        self, request: Request[Any, Any, Any], batch_id: FromPath[str], sheets: TheSheets, batches: TheBatches
    ) -> Data[Summary]:
        """Counts by status, credits settled, and the time that is left."""
        return Data(await batches.summary(await _batch(request, sheets, batch_id)))

    @post(
        "/{batch_id:str}/start",
        operation_id="startBatch",
        summary="Start a planned batch",
        status_code=200,
        responses={400: BAD_REQUEST, 404: NO_BATCH},
        opt={"scope": "submit"},
    )
    async def start_batch(
        self,
        request: Request[Any, Any, Any],
        batch_id: FromPath[str],
        data: JSONBody[Answers],
        sheets: TheSheets,
        batches: TheBatches,
    ) -> Data[Summary]:
        """Every row that is new becomes a task, and so do changed and failed ones if you say so. Starting it again
        changes nothing."""
        batch = await _batch(request, sheets, batch_id)
        started = await sheets.start(batch.id, batch.client, data)
        batches.nudge()
        return Data(await batches.summary(started))

    @get(
        "/{batch_id:str}/rows",
        operation_id="listBatchRows",
        summary="List the rows of a batch",
        responses={404: NO_BATCH},
        opt={"scope": "read"},
    )
    async def list_rows(
        self,
        request: Request[Any, Any, Any],
        batch_id: FromPath[str],
        sheets: TheSheets,
        batches: TheBatches,
        in_state: Annotated[
            list[RowState] | None, QueryParameter(name="state", description="How they were planned.")
        ] = None,
        status: Annotated[list[str] | None, QueryParameter(description="How their tasks stand.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500, description="Most rows to return.")] = 100,
        after: Annotated[int, QueryParameter(description="The last number of the page before.")] = 0,
    ) -> Response[Data[Listing[BatchLine]]]:
        """In order of the sheet: what became of each."""
        batch = await _batch(request, sheets, batch_id)
        lines = await batches.page(batch, limit, after, states=in_state or (), statuses=status or ())
        body: Any = encode(Data(Listing([_line(line) for line in lines])))
        return Response(body, media_type="application/json")

    @get(
        "/{batch_id:str}/result",
        operation_id="getBatchResult",
        summary="Take the sheet with its results",
        responses={200: FILE, 404: NO_BATCH, 409: refusal("The results cannot be put into this sheet.")},
        opt={"scope": "read"},
    )
    async def get_result(
        self, request: Request[Any, Any, Any], batch_id: FromPath[str], sheets: TheSheets, batches: TheBatches
    ) -> Response[bytes]:
        """The file as it was given, with a status, link, credits, task, error and time beside each row; also while the
        batch runs."""
        batch = await _batch(request, sheets, batch_id)
        return result_file(sheets, batch, await batches.results(batch))


def result_file(sheets: Sheets, batch: BatchRow, results: Mapping[int, Result]) -> Response[bytes]:
    """The sheet with its results, to be saved under a name like its own. Raises :class:`ApiError` 409."""
    try:
        content = sheets.result(batch, results)
    except (SheetError, OSError) as error:
        raise ApiError(409, f"The results cannot be written: {error}.", code="bad_request") from error
    name = quote(beside(Path(batch.name), content).name, safe="")
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", beside(sheets.file(batch), content).name)
    headers = {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}",
        "x-content-type-options": "nosniff",
    }
    return Response(content, headers=headers, media_type=_XLSX if content.startswith(b"PK") else "text/csv")


async def _batch(request: Request[Any, Any, Any], sheets: Sheets, batch_id: str) -> BatchRow:
    client = None if caller_of(request).may("operate") else client_of(request)
    try:
        return await sheets.get(batch_id, client)
    except UnknownBatch as error:
        raise ApiError(404, f"{error}.") from error


def _line(line: Line) -> BatchLine:
    row, result = line
    return BatchLine(
        number=row.number,
        state=row.state,
        status=result.status,
        task_id=row.task_id,
        video_url=result.video_url,
        credits=result.credits,
        error=result.error,
        finished_at=result.finished_at,
        row=msgspec.json.decode(row.facts),
        problems=msgspec.json.decode(row.problems, type=list[CellProblem]),
    )


def pairs(texts: list[str] | None, name: str) -> dict[str, str]:
    """``["a=b"]`` → ``{"a": "b"}``; the last ``=`` counts, for a title may have one."""
    pairs: dict[str, str] = {}
    for text in texts or []:
        left, mark, right = text.rpartition("=") if name == "column" else text.partition("=")
        if not (mark and left.strip() and right.strip()):
            raise ApiError(400, f"{name} is {text[:80]!r}; it must be like `{name}=Title=field`.")
        pairs[left.strip()] = right.strip()
    return pairs


def _summary(batch: BatchRow) -> BatchSummary:
    return BatchSummary(
        id=batch.id,
        name=batch.name,
        sheet=batch.sheet,
        state=batch.state,
        digest=batch.digest,
        created_at=batch.created_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
    )
