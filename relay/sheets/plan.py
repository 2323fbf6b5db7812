"""From rows to requests: what each row asks for, what is wrong with it by cell, and how it is known again."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from relay.contract import rules
from relay.contract.rules import Violation

from .columns import ID, IMAGES, WORKFLOW, Columns, result_name
from .formulas import NOT_SAVED, Unsettled, failed, saved, unsettled
from .table import Line, Table, address
from .values import Unreadable, is_local, link, split_links, value

RULES: dict[str, Callable[[dict[str, Any]], list[Violation]]] = {
    "music-video": rules.music_video,
    "ecommerce-video": rules.ecommerce_video,
}
_UPLOADED = "https://upload.invalid.example/file"
"""Stands for a local file while the rules are checked: it will be a link of the provider's."""
_FIXES = {
    "audio_url": "give a link to the audio file that anybody can open, or the path of a file on this machine",
    "srt_url": "give a link to the .srt file, or its path on this machine",
    IMAGES: "give 1 to 7 links to images that anybody can open, one a column or one a line",
    "duration": "write the length in seconds",
    "aspect_ratio": "write 16:9, 9:16, 1:1, 4:3 or 3:4",
    "resolution": "write 540p, 720p or 1080p",
    "language": "write en or zh",
    "quality": "write standard or high",
}


_NO_COLUMN = "no column was understood as it: name one `{}`, or say which one it is (`TITLE={}`)"
"""The fix where a whole column is missing: that of one cell would not help."""
_TITLES = {"audio_url": "Audio URL", IMAGES: "Image 1"}


class CellProblem(Struct, frozen=True):
    """One thing that is wrong, where it stands, and how to mend it. ``cell`` is empty if a whole column is missing."""

    cell: str
    column: str
    value: str
    rule: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.cell} ({self.column})" if self.cell else self.column
        return f"{where}: {self.rule}" + (f"; {self.fix}" if self.fix else "")


class Upload(Struct, frozen=True):
    """A file on this machine that must be uploaded first. ``field`` is a path such as ``images[1]``."""

    field: str
    path: str
    cell: str


class PlannedRow(Struct, kw_only=True):
    """What one row asks for."""

    number: int
    """The row's number in the sheet."""
    key: str
    """The row's identity: its id column, else its content. The same row has it in every format, order and place."""
    fingerprint: str
    """Its content: another one under the same key is a changed row."""
    workflow: str
    request: dict[str, Any]
    """The body of the create; local files stand in it as paths until they are uploaded."""
    facts: dict[str, str]
    """What recipes see as ``row``."""
    uploads: list[Upload] = field(default_factory=list[Upload])
    problems: list[CellProblem] = field(default_factory=list[CellProblem])
    twin_of: int | None = None
    """The number of an earlier row with the same key: asked for once."""
    hidden: bool = False
    """Whether nobody sees it in a spreadsheet program."""


def plan_rows(table: Table, columns: Columns, defaults: Mapping[str, str] | None = None) -> list[PlannedRow]:
    """Every row below the header that is not blank. ``defaults`` fill in fields that a row leaves empty."""
    planned: list[PlannedRow] = []
    first: dict[tuple[str, str], int] = {}
    for line in table.lines:
        if line.number <= columns.header.number or _empty(table, columns, line):
            continue
        row = _Reading(table, columns, line, defaults or {}).row()
        if not row.problems:  # what cannot be read is no part of the content, so it would be everybody's twin
            earlier = first.setdefault((row.key, row.fingerprint), row.number)
            row.twin_of = None if earlier == row.number else earlier
        planned.append(row)
    return planned


def refuse_shared_ids(columns: Columns, rows: Iterable[PlannedRow]) -> None:
    """Several rows under one id that ask for different things: which one is meant, nobody knows. The first keeps it;
    the others get a problem."""
    first: dict[str, PlannedRow] = {}
    column = columns.fields.get(ID)
    for row in rows:
        earlier = first.setdefault(row.key, row)
        if column is not None and earlier.fingerprint != row.fingerprint:
            line = Line(row.number, [])
            rule = f"is also the id of row {earlier.number}, which asks for something else"
            fix = "give each row an id of its own"
            row.problems.append(
                CellProblem(address(line, column), columns.title(column), row.facts.get("id", ""), rule, fix)
            )


def _empty(table: Table, columns: Columns, line: Line) -> bool:
    """No input stands in it: results, a lone running number, or formulas that found nothing, make no request."""
    inputs = {*columns.images, *columns.fields.values()} - {columns.fields.get(ID)}
    texts = (table.cell(line, column) for column in inputs)
    facts = (table.cell(line, column) for column in columns.facts if result_name(columns.title(column)) is None)
    return not any(text and not failed(text) for text in texts) and all(
        not text or unsettled(text) is not None for text in facts
    )


class _Reading:
    """One row on its way to a request."""

    def __init__(self, table: Table, columns: Columns, line: Line, defaults: Mapping[str, str]) -> None:
        self._table, self._columns, self._line, self._defaults = table, columns, line, defaults
        self._cells: dict[str, int] = {}
        self._request: dict[str, Any] = {}
        self._uploads: list[Upload] = []
        self._problems: list[CellProblem] = []

    def row(self) -> PlannedRow:
        workflow = self._workflow()
        for name in self._columns.fields.keys() | self._defaults.keys():
            if name not in (ID, WORKFLOW, IMAGES):
                self._field(name)
        self._images()
        self._check(workflow)
        facts = {name: saved(self._table.cell(self._line, column)) for column, name in self._columns.facts.items()}
        given = self._id()
        content = _digest({"workflow": workflow, **self._request})
        return PlannedRow(
            number=self._line.number,
            key=f"id:{given}" if given else f"content:{content}",
            fingerprint=content,
            workflow=workflow,
            request=self._request,
            facts=facts | ({"id": given} if given else {}),
            uploads=sorted(self._uploads, key=lambda upload: upload.field),
            problems=sorted(self._problems, key=lambda problem: (problem.cell, problem.rule)),
            hidden=self._line.number in self._table.hidden,
        )

    def _workflow(self) -> str:
        text = self._text(WORKFLOW) or self._defaults.get(WORKFLOW, "music-video")
        wrong = unsettled(text)
        found = value(WORKFLOW, text)
        if wrong is None and found in RULES:
            return found
        self._problem(WORKFLOW, text, wrong.rule if wrong else f"must be one of {', '.join(RULES)}", wrong)
        return "music-video"

    def _id(self) -> str:
        text = self._text(ID)
        wrong = unsettled(text)
        if wrong is not None:
            self._problem(ID, text, wrong.rule, wrong)
        return text

    def _text(self, name: str) -> str:
        column = self._columns.fields.get(name)
        return "" if column is None else self._table.cell(self._line, column)

    def _link(self, column: int) -> str:
        """The text of a cell for a link; where it is none, the link behind it."""
        text = self._table.cell(self._line, column)
        if not text or "://" in text or is_local(text) or unsettled(text):
            return text
        return self._table.links.get((self._line.number, column), text)

    def _field(self, name: str) -> None:
        column = self._columns.fields.get(name)
        text = self._text(name)
        if column is not None:
            self._cells[name] = column
            text = self._link(column) if name.endswith("_url") else text
        if not text:
            text = self._defaults.get(name, "")
        if not text:
            return
        wrong = unsettled(text)
        if wrong is not None:
            self._problem(name, text, wrong.rule, wrong)
            return
        try:
            self._request[name] = value(name, text)
        except Unreadable as error:
            self._problem(name, text, str(error))
            return
        if name.endswith("_url") and is_local(text):
            self._uploads.append(Upload(name, text, self._address(name)))

    def _images(self) -> None:
        images: list[str] = []
        for column in self._columns.images:
            cell = self._link(column)
            wrong = unsettled(cell)
            for text in [cell] if wrong else split_links(cell):
                name = f"images[{len(images)}]"
                self._cells[name] = column
                self._cells.setdefault(IMAGES, column)
                if wrong is not None:
                    self._problem(name, text, wrong.rule, wrong)
                    continue
                try:
                    images.append(link(text))
                except Unreadable as error:
                    self._problem(name, text, str(error))
                    continue
                if is_local(text):
                    self._uploads.append(Upload(name, text, address(self._line, column)))
        if images:
            self._request[IMAGES] = images

    def _check(self, workflow: str) -> None:
        told = {problem.column for problem in self._problems}
        local = {upload.field: _UPLOADED + (".srt" if upload.field == "srt_url" else "") for upload in self._uploads}
        asked: dict[str, Any] = {name: local.get(name, content) for name, content in self._request.items()}
        if IMAGES in self._request:
            images: list[str] = self._request[IMAGES]
            asked[IMAGES] = [local.get(f"images[{index}]", url) for index, url in enumerate(images)]
        for violation in RULES[workflow](asked):
            name = violation.field
            if self._title(name) not in told:
                text = "" if violation.value is None else str(violation.value)
                self._problem(name, text, _for_people(violation.rule, text))

    def _problem(self, name: str, text: str, rule: str, wrong: Unsettled | None = None) -> None:
        fix = wrong.fix if wrong else self._fix(name)
        self._problems.append(
            CellProblem(self._address(name), self._title(name), text.removeprefix(NOT_SAVED)[:200], rule, fix)
        )

    def _fix(self, name: str) -> str:
        if self._column(name) is None and name in _TITLES:
            return _NO_COLUMN.format(_TITLES[name], name)
        return _FIXES.get(name.partition("[")[0], "")

    def _column(self, name: str) -> int | None:
        if name in self._cells:
            return self._cells[name]
        if name.startswith(IMAGES):
            return self._columns.images[0] if self._columns.images else None
        return self._columns.fields.get(name)

    def _address(self, name: str) -> str:
        column = self._column(name)
        return "" if column is None else address(self._line, column)

    def _title(self, name: str) -> str:
        column = self._column(name)
        return name if column is None else self._columns.title(column)


def _for_people(rule: str, text: str) -> str:
    """A rule of the contract without what only callers of the API can do about it."""
    if not rule.startswith("must be a public HTTPS URL"):
        return rule
    return rule.partition(";")[0] if text.startswith("https://") else "must be a link that begins with https://"


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:32]
