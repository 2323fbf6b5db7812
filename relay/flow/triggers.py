"""One row at a time, from tools without sheets: planned by the rules of a sheet's row, and asked for once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from relay.contract import Status, rules
from relay.contract.pricing import Estimate
from relay.journal import Journal, Known, TaskRow
from relay.sheets.columns import IMAGES, Columns
from relay.sheets.flat import Field, plan_fields
from relay.sheets.plan import PlannedRow

from .estimate import Quote, Quotes
from .inputs import RULES, Inputs
from .intake import Intake, Origin
from .rows import content_of, identity_of, latest, next_try

State = Literal["new", "known", "changed", "failed"]
"""``new``: not asked for before. ``known``: asked for before; its task says how it stands. ``changed``: asked for
before, under the same id, with other content. ``failed``: asked for before, and it failed."""

_FIXES = {
    "audio_url": "send a link to the audio file that anybody can open, as audio_url (or song, audio, mp3)",
    "srt_url": "send a link to the .srt file that anybody can open",
    IMAGES: "send 1 to 7 links to images that anybody can open, as image_url, image_1 to image_7, or lines of images",
}


class FieldProblem(Struct, frozen=True):
    """One thing that is wrong with a field: its name as it was sent, its value, the rule, and how to mend it."""

    field: str
    value: str
    rule: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.field} {self.rule}" + (f"; {self.fix}" if self.fix else "")


class Invalid(Exception):
    """The row cannot be asked for."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Changed(Exception):
    """The id was asked for before with other content."""

    def __init__(self, task: TaskRow, row: PlannedRow) -> None:
        super().__init__(task.id)
        self.task = task
        self.row_id = row.facts["id"]
        self.differences = _differences(task, row)


class Ask(Struct):
    """What somebody sent to a trigger."""

    trigger: str
    fields: Iterable[Field]
    origin: Origin
    mapping: Mapping[str, str]
    defaults: Mapping[str, str]


class Plan(Struct):
    """What a row asks for, and what is known of it."""

    trigger: str
    columns: Columns
    row: PlannedRow
    body: str
    facts: str
    origin: Origin
    state: State
    known: list[Known]
    warnings: list[str]

    @property
    def last(self) -> Known | None:
        """The task that the row became before."""
        return latest(self.known, self.row.fingerprint) or (self.known[-1] if self.known else None)


class Triggers:
    """Plans and accepts single rows. ``url`` is where this relay is reached."""

    def __init__(self, journal: Journal, intake: Intake, inputs: Inputs, quotes: Quotes, url: str) -> None:
        self._journal = journal
        self._intake = intake
        self._inputs = inputs
        self._quotes = quotes
        self.url = url

    async def plan(self, ask: Ask) -> Plan:
        """Nothing is sent. Raises :class:`Invalid` with every problem, and :class:`relay.sheets.SheetError`."""
        columns, row = plan_fields(ask.fields, ask.mapping, ask.defaults)
        body = msgspec.json.encode(row.request)
        checked = await self._inputs.check(body, RULES[row.workflow])
        problems = self._problems(columns, row, checked.violations)
        if problems:
            raise Invalid(problems)
        identity = identity_of(ask.origin.client, f"trigger:{ask.trigger}", row.key)
        known = await self._journal.batches.known([identity])
        task = latest(known, row.fingerprint)
        state: State = "new"
        if task is not None:
            state = "failed" if task.status == Status.FAILED else "known"
        elif known:
            state = "changed"
        return Plan(
            trigger=ask.trigger,
            columns=columns,
            row=row,
            body=body.decode(),
            facts=msgspec.json.encode({"trigger": ask.trigger, **row.facts}).decode(),
            origin=structs.replace(ask.origin, row=(identity, task.version if task else row.fingerprint)),
            state=state,
            known=known,
            warnings=checked.warnings,
        )

    async def run(self, plan: Plan, *, changed: bool = False, failed: bool = False) -> tuple[TaskRow, State]:
        """The row's task; ``new`` if it was made just now. ``changed`` and ``failed`` ask again for such rows, which
        is paid for again. Raises :class:`Changed`."""
        origin, again = plan.origin, plan.state == "failed" and failed
        if again:
            origin = structs.replace(origin, row=(origin.row[0], next_try(plan.known, plan.row.fingerprint)))
        task, new = await self._intake.accept_row(
            plan.row.workflow,
            plan.body,
            origin,
            facts=plan.facts,
            warnings=plan.warnings,
            changed=changed or again,
        )
        if content_of(task.row_version or "") != plan.row.fingerprint:
            raise Changed(task, plan.row)
        return task, "new" if new else "failed" if task.status == Status.FAILED else "known"

    async def quote(self, plan: Plan) -> Quote:
        """The price of a new task, against the balance as it is now."""
        return await self._quotes.quote([(plan.row.workflow, plan.body)])

    def price(self, plan: Plan) -> Estimate:
        """The price alone; asks nobody."""
        return self._quotes.price(plan.row.workflow, plan.body)

    def _problems(self, columns: Columns, row: PlannedRow, violations: Sequence[rules.Violation]) -> list[FieldProblem]:
        """Those that a row of a sheet would have, and links that lead where none may."""
        problems = [
            FieldProblem(one.column, one.value, one.rule, _FIXES.get(_meant(columns, one.column), one.fix))
            for one in row.problems
            if not self._inputs.own(one.value)
        ]
        for upload in row.uploads:
            rule = "is a path on some machine, and a trigger takes links only"
            fix = "send a link that anybody can open; `POST /v1/files` makes one of a file"
            problems.append(FieldProblem(_title(columns, row, upload.field), upload.path, rule, fix))
        told = {one.field for one in problems}
        for one in violations:
            title = _title(columns, row, one.field)
            if title not in told:
                problems.append(FieldProblem(title, _text(one.value), one.rule, _FIXES.get(_meant(columns, title), "")))
        return problems


def _title(columns: Columns, row: PlannedRow, field: str) -> str:
    """The name under which a field was sent."""
    name, _, position = field.partition("[")
    if name != IMAGES:
        column = columns.fields.get(field)
    elif position and len(columns.images) == len(row.request[IMAGES]):
        column = columns.images[int(position[:-1])]
    else:
        column = columns.images[0] if columns.images else None
    return field if column is None else columns.title(column)


def _meant(columns: Columns, title: str) -> str:
    """The field that was sent under a name."""
    names = {columns.title(column): name for name, column in columns.fields.items()}
    names |= {columns.title(column): IMAGES for column in columns.images}
    return names.get(title, title)


def _differences(task: TaskRow, row: PlannedRow) -> list[FieldProblem]:
    before: dict[str, Any] = msgspec.json.decode(task.request)
    if task.workflow != row.workflow:
        before["workflow"], now = task.workflow, {**row.request, "workflow": row.workflow}
    else:
        now = row.request
    return [
        FieldProblem(name, _text(now.get(name)), f"was {_text(before.get(name)) or 'empty'}")
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
