"""From a sheet to a planned batch: what each row asks for, what was asked for before, and what it will cost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct, field

from relay.clock import Clock
from relay.contract import Status
from relay.contract.pricing import Estimate
from relay.journal import BatchRow, Journal, Known, RowState, SheetRow
from relay.sheets import Columns, PlannedRow, SheetError, Table, match, plan_rows, read_table
from relay.sheets.apart import read_apart
from relay.sheets.columns import leave_to_people
from relay.sheets.plan import CellProblem, Upload, refuse_shared_ids
from relay.sheets.put import digest, with_results, write_whole
from relay.sheets.results import Result

from .estimate import Quote, Quotes
from .intake import Origin
from .rows import identity_of, latest, next_try

REQUESTED: frozenset[RowState] = frozenset({"new", "changed", "failed"})
"""States of rows that can be asked for."""


class UnknownBatch(Exception):
    """There is no such batch (or not of this client)."""


class PlannedSheetRow(Struct):
    """One row of the plan, for people. ``task_id``: what it became earlier."""

    number: int
    state: RowState
    workflow: str
    request: dict[str, Any]
    facts: dict[str, str]
    problems: list[CellProblem]
    uploads: list[Upload]
    task_id: str | None = None
    twin_of: int | None = None
    price: Estimate | None = None
    """What it costs to ask for it; ``null`` where it cannot be asked for."""
    hidden: bool = False
    """Whether nobody sees it in a spreadsheet program: hidden, or left out by a filter. It is asked for nonetheless."""


class BatchPlan(Struct):
    """What a sheet asks for, before anything is spent. ``quote`` is the price of all rows that are new, and of those
    that shall be asked for again."""

    id: str
    name: str
    sheet: str
    columns: dict[str, str]
    """What each column was understood as, by its title."""
    rows: list[PlannedSheetRow]
    counts: dict[str, int]
    quote: Quote


class Offer(Struct):
    """What a planned batch would ask for, as its rows stand now."""

    counts: dict[str, int]
    """Rows by their state."""
    files: int
    """Rows left out because they name files on somebody's computer."""
    paths: list[str]
    """Those files, each once."""
    asked: int
    hidden: int
    """How many of those that would be asked for nobody sees in a spreadsheet program."""
    quote: Quote
    """The price of those that would be asked for."""


class Answers(Struct, forbid_unknown_fields=True):
    """What a person decides when a planned batch is started."""

    files: dict[str, str] = field(default_factory=dict[str, str])
    """Local paths of the sheet, and the links that they were uploaded to."""
    changed: bool = False
    """Ask again for rows that were asked for with other content; each is charged again."""
    failed: bool = False
    """Ask again for rows whose task failed."""


class Sheets:
    """Plans and starts batches. The files are kept in ``folder`` until their results are written."""

    def __init__(self, journal: Journal, clock: Clock, quotes: Quotes, folder: Path) -> None:
        self._journal = journal
        self._clock = clock
        self._quotes = quotes
        self._folder = folder

    async def plan(
        self,
        content: bytes,
        name: str,
        origin: Origin,
        *,
        sheet: str | None = None,
        mapping: Mapping[str, str] | None = None,
        defaults: Mapping[str, str] | None = None,
        again: Answers | None = None,
    ) -> BatchPlan:
        """Read a sheet and write its plan down; nothing is sent. ``again`` says which rows count in the price besides
        the new ones. Raises :class:`SheetError`."""
        table = await read_apart(content, sheet)
        columns = match(table, mapping)
        leave_to_people(table, columns)
        planned = plan_rows(table, columns, defaults)
        refuse_shared_ids(columns, planned)
        if not planned:
            raise SheetError("the sheet has a header but no row below it")
        batch = BatchRow(
            id=self._clock.new_id("bat"),
            client=origin.client,
            name=Path(name).name or "sheet",
            sheet=table.name,
            digest=digest(content),
            state="planned",
            columns=msgspec.json.encode(columns).decode(),
            created_at=self._clock.now(),
            priority=origin.priority,
            tags=msgspec.json.encode(list(origin.tags)).decode(),
            recipes=msgspec.json.encode(list(origin.recipes)).decode(),
        )
        known = await self._known(planned, batch)
        rows = [_row(batch, row, known.get(_identity(batch, row), [])) for row in planned]
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.file(batch), content)
        await self._journal.batches.add(batch, rows)
        answers = again or Answers()
        asked = [(row.workflow, row.request) for row in rows if row.state == "new" or _again(row, answers)]
        return BatchPlan(
            id=batch.id,
            name=batch.name,
            sheet=batch.sheet,
            columns=columns.meanings(),
            rows=[self._shown(row, of) for row, of in zip(rows, planned, strict=True)],
            counts={state: sum(1 for row in rows if row.state == state) for state in get_args(RowState)},
            quote=await self._quotes.quote(asked),
        )

    async def offer(self, batch: BatchRow, answers: Answers, *, fresh: bool = True) -> Offer:
        """What starting it with ``answers`` asks for and costs; ``fresh``: by the balance of this moment."""
        rows = await self._journal.batches.rows(batch.id)
        wanted = [row for row in rows if row.state == "new" or _again(row, answers)]
        asked = [row for row in wanted if row.uploads == "[]" or answers.files]
        quote = await self._quotes.quote([(row.workflow, row.request) for row in asked], fresh=fresh)
        paths = paths_of(wanted) if len(asked) < len(wanted) else []
        hidden = sum(row.hidden for row in asked)
        counts = dict(Counter(row.state for row in rows))
        return Offer(counts, len(wanted) - len(asked), paths, len(asked), hidden, quote)

    def meanings(self, batch: BatchRow) -> dict[str, str]:
        """What each column was understood as, by its title."""
        return msgspec.json.decode(batch.columns, type=Columns).meanings()

    async def start(self, batch_id: str, client: str, answers: Answers) -> BatchRow:
        """Let a planned batch run. Starting it again changes nothing. Raises :class:`UnknownBatch`."""
        batch = await self.get(batch_id, client)
        if batch.state != "planned":
            return batch
        rows = await self._journal.batches.rows(batch.id)
        known: dict[str, list[Known]] = {}
        for one in await self._journal.batches.known([row.identity for row in rows]):
            known.setdefault(one.identity, []).append(one)
        decided = [_decide(row, known.get(row.identity, []), answers) for row in rows]
        await self._journal.batches.start(batch.id, decided, self._clock.now())
        return await self.get(batch_id, client)

    async def get(self, batch_id: str, client: str | None) -> BatchRow:
        """The batch, if it is this client's (``None``: anybody's). Raises :class:`UnknownBatch`."""
        batch = await self._journal.batches.get(batch_id)
        if batch is None or client not in (None, batch.client):
            raise UnknownBatch(f"there is no batch {batch_id[:80]}")
        return batch

    def file(self, batch: BatchRow) -> Path:
        """Where the sheet is kept as it was given."""
        return self._folder / f"{batch.id}{Path(batch.name).suffix.lower()[:6]}"

    def result(self, batch: BatchRow, results: Mapping[int, Result]) -> bytes:
        """The sheet with ``results`` in it. Raises :class:`SheetError`."""
        content = self.file(batch).read_bytes()
        table: Table = read_table(content, batch.sheet or None)
        columns = msgspec.json.decode(batch.columns, type=Columns)
        return with_results(content, table, columns, results)

    async def _known(self, planned: Sequence[PlannedRow], batch: BatchRow) -> dict[str, list[Known]]:
        found: dict[str, list[Known]] = {}
        for one in await self._journal.batches.known([_identity(batch, row) for row in planned]):
            found.setdefault(one.identity, []).append(one)
        return found

    def _shown(self, row: SheetRow, planned: PlannedRow) -> PlannedSheetRow:
        return PlannedSheetRow(
            number=row.number,
            state=row.state,
            workflow=row.workflow,
            request=planned.request,
            facts=planned.facts,
            problems=planned.problems,
            uploads=planned.uploads,
            task_id=row.task_id,
            twin_of=planned.twin_of,
            price=self._quotes.price(row.workflow, row.request) if row.state in REQUESTED else None,
            hidden=row.hidden,
        )


def _identity(batch: BatchRow, row: PlannedRow) -> str:
    """Ids belong to one file and sheet."""
    return identity_of(batch.client, f"{Path(batch.name).stem.lower()}/{batch.sheet.lower()}", row.key)


def _row(batch: BatchRow, row: PlannedRow, known: Sequence[Known]) -> SheetRow:
    task = latest(known, row.fingerprint)
    state: RowState = "new"
    if row.twin_of is not None:
        state = "twin"
    elif row.problems:
        state = "invalid"
    elif task is not None:
        state = "failed" if task.status == Status.FAILED else "known"
    elif known:
        state = "changed"
    return SheetRow(
        batch_id=batch.id,
        number=row.number,
        identity=_identity(batch, row),
        version=row.fingerprint,
        workflow=row.workflow,
        request=msgspec.json.encode(row.request).decode(),
        facts=msgspec.json.encode({**row.facts, "row": row.number, "sheet": batch.sheet or batch.name}).decode(),
        state=state,
        problems=msgspec.json.encode(row.problems).decode(),
        uploads=msgspec.json.encode(row.uploads).decode(),
        task_id=task.task_id if task is not None and state in ("known", "failed") else None,
        hidden=row.hidden,
    )


def _decide(row: SheetRow, known: Sequence[Known], answers: Answers) -> SheetRow:
    """The row as it shall be once the batch runs: what is to be asked for is ``new``, without a task."""
    if row.state != "new" and not _again(row, answers):
        return row
    if row.state == "failed":
        row.version = next_try(known, row.version)
    row.state, row.task_id = "new", None
    return _uploaded(row, answers.files)


def _again(row: SheetRow, answers: Answers) -> bool:
    return (row.state == "changed" and answers.changed) or (row.state == "failed" and answers.failed)


def paths_of(rows: Iterable[SheetRow]) -> list[str]:
    """Every file that rows name, once, in their order."""
    return list(dict.fromkeys(path for row in rows for path in sorted(names_of(row))))


def names_of(row: SheetRow) -> set[str]:
    """The files that a row names."""
    if row.uploads == "[]":
        return set()
    return {upload.path for upload in msgspec.json.decode(row.uploads, type=list[Upload])}


def with_links(row: SheetRow, files: Mapping[str, str]) -> SheetRow:
    """The row with links in the place of those local paths that ``files`` knows; the others are left to be given."""
    uploads = msgspec.json.decode(row.uploads, type=list[Upload])
    request = msgspec.json.decode(row.request, type=dict[str, Any])
    for upload in uploads:
        url = files.get(upload.path)
        if url is None:
            continue
        if upload.field.startswith("images["):
            request["images"][int(upload.field[7:-1])] = url
        else:
            request[upload.field] = url
    left = [upload for upload in uploads if upload.path not in files]
    row.uploads = msgspec.json.encode(left).decode()
    row.request = msgspec.json.encode(request).decode()
    return row


def _uploaded(row: SheetRow, files: Mapping[str, str]) -> SheetRow:
    """Links in the place of local paths; a file without one makes the row invalid."""
    row = with_links(row, files) if row.uploads != "[]" else row
    left = msgspec.json.decode(row.uploads, type=list[Upload])
    problems = msgspec.json.decode(row.problems, type=list[CellProblem])
    for upload in left:
        rule, fix = "is a file that was not uploaded", "give the file along, or put a link in its place"
        problems.append(CellProblem(upload.cell, upload.field, upload.path, rule, fix))
    if left:
        row.state, row.problems = "invalid", msgspec.json.encode(problems).decode()
    return row
