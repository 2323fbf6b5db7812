"""Batches: a sheet is dropped on the page, its plan is seen with its price, it is started, watched, and taken back with
its results."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template
from msgspec import Struct, field, structs

from relay.api.batches import pairs, result_file
from relay.api.errors import ApiError
from relay.api.origin import chosen
from relay.api.parts import TheBatches, TheJournal, TheKeys, TheQuotes, TheSheetFiles, TheSheets, TheShelf
from relay.contract import Status
from relay.flow.batches import Line
from relay.flow.estimate import Quotes
from relay.flow.intake import Origin
from relay.flow.sheet_files import Handed
from relay.flow.sheets import REQUESTED, Answers, Sheets, UnknownBatch
from relay.journal import BatchRow, RowState
from relay.sheets import SheetError
from relay.sheets.plan import CellProblem, Upload
from relay.sheets.read import MOST_BYTES

from .forms import form, typed
from .gate import back
from .money import amount
from .tasks import GROUPS, name_of

BATCHES, ROWS = 50, 50
"""On one page."""
FILES_BYTES = 2 * 1024**3
"""The files that one form may hand over."""
CHUNK = 256 * 1024
FORM_BYTES = MOST_BYTES + 1024 * 1024
"""A sheet, and the other fields of its form."""
PLANNED: dict[str, list[RowState]] = {
    "all": [],
    "problems": ["invalid"],
    "new": ["new"],
    "changed": ["changed"],
    "failed earlier": ["failed"],
    "asked before": ["known"],
    "twins": ["twin"],
}
"""What can be looked at in a plan."""
STARTED: dict[str, list[Status]] = {
    "all": [],
    "running": [*GROUPS["running"], *GROUPS["needs you"]],
    "succeeded": [Status.SUCCEEDED],
    "failed": [Status.FAILED],
    "problems": [],
}
"""What can be looked at in a batch that runs, or ran."""


WORDS = {"known": "asked before"}


class Given(Struct):
    """How a sheet shall be read, as it was typed."""

    sheet: str = ""
    columns: str = ""
    """``Title=field``, one a line."""
    defaults: str = ""
    """``field=value``, one a line."""
    recipe: str = ""
    """The one that alone shall hear of it; empty: whichever fit."""


class Again(Struct):
    """What else shall be asked for."""

    changed: bool = False
    failed: bool = False


class RowLine(Struct):
    """One row as the page shows it."""

    number: int
    title: str
    workflow: str
    state: str
    price: str = ""
    note: str = ""
    task_id: str | None = None
    video: str = ""
    problems: list[CellProblem] = field(default_factory=list[CellProblem])
    uploads: list[Upload] = field(default_factory=list[Upload])


class BatchPages(Controller):
    """``/batches``."""

    path = "/batches"

    @get()
    async def list_batches(
        self, journal: TheJournal, shelf: TheShelf, before: Annotated[str | None, QueryParameter()] = None
    ) -> Template:
        """Every sheet that was ever given, newest first."""
        return await _list(journal, shelf, before, Given())

    @post(status_code=200, request_max_body_size=FORM_BYTES)
    async def plan(
        self, request: Request[Any, Any, Any], journal: TheJournal, shelf: TheShelf, sheets: TheSheets, keys: TheKeys
    ) -> Response[Any]:
        """Read the sheet and show its plan; nothing is asked for."""
        given, file = await _sent(request)
        again = partial(_list, journal, shelf, None, given)
        if file is None:
            return await again("Choose a file first: a CSV, or a sheet of Excel or LibreOffice.")
        try:
            planned = await sheets.plan(
                await file.read(),
                _name(file),
                Origin(keys.house, recipes=chosen(shelf, [given.recipe] if given.recipe else None)),
                sheet=given.sheet or None,
                mapping=pairs(given.columns.splitlines(), "column"),
                defaults=pairs(given.defaults.splitlines(), "default"),
            )
        except (SheetError, ApiError) as error:
            return await again(f"{_name(file)} cannot be planned: {error}".rstrip(".") + ".", unread=True)
        return Redirect(f"/batches/{planned.id}", status_code=303)

    @get("/{batch_id:str}")
    async def look(
        self,
        batch_id: FromPath[str],
        sheets: TheSheets,
        batches: TheBatches,
        quotes: TheQuotes,
        show: Annotated[str, QueryParameter()] = "",
        after: Annotated[int, QueryParameter()] = 0,
        changed: Annotated[bool, QueryParameter()] = False,
        failed: Annotated[bool, QueryParameter()] = False,
    ) -> Template:
        """The plan; once it was started, how it stands. Rows by pages."""
        batch = await _known(sheets, batch_id)
        again = Again(changed, failed)
        context: dict[str, Any] = {"batch": batch, "again": again, "after": after}
        context |= {"unit": quotes.unit, "words": WORDS}
        if batch.state == "planned":
            offer = await sheets.offer(batch, Answers(changed=changed, failed=failed), fresh=not after)
            show = show if show in PLANNED else "problems" if offer.counts.get("invalid") else "all"
            lines = await batches.page(batch, ROWS + 1, after, states=PLANNED[show])
            context |= {"offer": offer, "columns": sheets.meanings(batch), "groups": list(PLANNED)}
        else:
            show = show if show in STARTED else "all"
            states: list[RowState] = ["invalid"] if show == "problems" else []
            lines = await batches.page(batch, ROWS + 1, after, states=states, statuses=STARTED[show])
            context |= {"summary": await batches.summary(batch), "groups": list(STARTED)}
        more = lines[ROWS - 1].row.number if len(lines) > ROWS else None
        shown = [_line(line, batch, quotes) for line in lines[:ROWS]]
        return Template("batch.html", context={**context, "show": show, "rows": shown, "more": more})

    @post("/{batch_id:str}/files", status_code=303, request_max_body_size=FILES_BYTES)
    async def give_files(
        self, request: Request[Any, Any, Any], batch_id: FromPath[str], sheets: TheSheets, sheet_files: TheSheetFiles
    ) -> Response[Any]:
        """The files that rows name go to Beat API, which asks nothing for them; their links stand in the plan then."""
        batch = await _known(sheets, batch_id)
        given = [one for one in (await request.form()).getall("file", []) if isinstance(one, UploadFile)]
        count, problems = await sheet_files.give(
            batch, [Handed(_name(one), one.content_type or "", _chunks(one)) for one in given if one.filename]
        )
        text = f"{count} {'file is' if count == 1 else 'files are'} at Beat API now."
        return back(f"/batches/{batch.id}", " ".join([text, *problems]), "bad" if problems else "good")

    @post("/{batch_id:str}/start", status_code=303)
    async def start(
        self, request: Request[Any, Any, Any], batch_id: FromPath[str], sheets: TheSheets, batches: TheBatches
    ) -> Response[Any]:
        """Every new row becomes a task. A batch starts once, however often this is sent."""
        batch, again = await _known(sheets, batch_id), await form(request, Again)
        if batch.state != "planned":
            return back(f"/batches/{batch.id}", "It was started already; nothing is asked for twice.", "ask")
        await sheets.start(batch.id, batch.client, Answers(changed=again.changed, failed=again.failed))
        batches.nudge()
        return back(f"/batches/{batch.id}", "Started. This page follows it.")

    @get("/{batch_id:str}/result")
    async def result(self, batch_id: FromPath[str], sheets: TheSheets, batches: TheBatches) -> Response[bytes]:
        """The sheet with its results, as far as there are any."""
        return result_file(sheets, batch := await _known(sheets, batch_id), await batches.results(batch))


async def _list(
    journal: TheJournal,
    shelf: TheShelf,
    before: str | None,
    given: Given,
    problem: str = "",
    *,
    unread: bool = False,
) -> Template:
    """``unread``: a sheet was given, and it may be that it has to be read another way."""
    rows = await journal.batches.recent(BATCHES + 1, before)
    context = {
        "batches": rows[:BATCHES],
        "more": rows[BATCHES - 1].id if len(rows) > BATCHES else None,
        "before": before,
        "given": given,
        "recipes": sorted(recipe.name for recipe in shelf.recipes),
        "problem": problem,
        "unread": unread,
    }
    return Template("batches.html", context=context, status_code=400 if problem else 200)


async def _sent(request: Request[Any, Any, Any]) -> tuple[Given, UploadFile | None]:
    sent = await request.form()
    file = sent.get("file")
    words = {name: texts[-1].strip() for name, texts in (await typed(request)).items() if texts}
    given = msgspec.convert({name: words[name] for name in Given.__struct_fields__ if name in words}, Given)
    return given, file if isinstance(file, UploadFile) and file.filename else None


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


def _name(file: UploadFile) -> str:
    """The file's name without a path, and without what no name should hold."""
    name = Path((file.filename or "").replace("\\", "/")).name
    return "".join(character for character in name if character.isprintable())[:200] or "sheet"


async def _known(sheets: Sheets, batch_id: str) -> BatchRow:
    try:
        return await sheets.get(batch_id, None)
    except UnknownBatch as error:
        raise ApiError(404, f"{error}.") from error


def _line(line: Line, batch: BatchRow, quotes: Quotes) -> RowLine:
    row, result = line.row, line.result
    facts = msgspec.json.decode(row.facts, type=dict[str, Any])
    shown = RowLine(
        row.number,
        name_of(facts, row.request, row.workflow),
        row.workflow,
        row.state if batch.state == "planned" else result.status,
        task_id=row.task_id,
        problems=msgspec.json.decode(row.problems, type=list[CellProblem]),
        uploads=msgspec.json.decode(row.uploads, type=list[Upload]),
    )
    if batch.state != "planned":
        price = f"{result.credits:f}" if result.credits is not None else ""
        note = "" if row.state == "invalid" else result.error
        return structs.replace(shown, price=price, note=note, video=result.video_url)
    price = amount(quotes.price(row.workflow, row.request)) if row.state in REQUESTED else ""
    return structs.replace(shown, price=price, note="hidden in the sheet" if row.hidden else "")
