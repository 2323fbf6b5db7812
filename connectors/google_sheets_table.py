"""One tab of a Google spreadsheet as a table: headings in row 1, read anew for each delivery and never remembered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .base import Reject, Retry
from .google_api import Answer, GoogleApi

MINUTE = 60.0
"""Seconds after which Google's quota for Sheets is full again."""
_START = re.compile(r"(?:.*!)?([A-Z]+)(\d+)(?::.*)?")


@dataclass(frozen=True, slots=True)
class Block:
    """The cells of a range, as Google keeps them; empty cells at the ends of rows, and empty rows at the end, are left
    out."""

    rows: list[list[Any]]
    top: int
    """The number of the first row, counted from 1."""
    left: int
    """The first column, counted from 0."""


class Table:
    """Values go in as RAW: Google stores them as they are and reads no formula, date or number out of text."""

    def __init__(self, api: GoogleApi, spreadsheet: str, sheet: str) -> None:
        self._api, self.spreadsheet, self.sheet = api, spreadsheet, sheet
        self.gid: int | None = None
        """Google's number of the tab, which stays when it is renamed; known after :meth:`find`."""
        self._width = 0
        self._headings: list[str] = []

    async def about(self) -> tuple[str, list[str]]:
        """Title and tabs."""
        known = await self._about("properties.title,sheets.properties.title")
        return known["properties"]["title"], [sheet["properties"]["title"] for sheet in known.get("sheets", [])]

    async def find(self) -> None:
        """Look the tab up: by its name, or the first one. Raises :class:`Reject` with those that there are."""
        known = await self._about("sheets.properties(sheetId,title,gridProperties.columnCount)")
        tabs = {sheet["properties"]["title"]: sheet["properties"] for sheet in known["sheets"]}
        self.sheet = self.sheet or next(iter(tabs))
        if self.sheet not in tabs:
            raise Reject(f"the spreadsheet has no tab {self.sheet!r}; it has {', '.join(map(repr, tabs))}")
        self.gid = tabs[self.sheet].get("sheetId", 0)
        self._width = tabs[self.sheet].get("gridProperties", {}).get("columnCount", 0)

    async def _widen(self, columns: int) -> None:
        more = {"sheetId": self.gid, "dimension": "COLUMNS", "length": columns}
        answer = await self._api.call(
            "POST", self._path(":batchUpdate"), body={"requests": [{"appendDimension": more}]}
        )
        self._read(answer, "adding columns to the sheet")
        self._width += columns

    async def _about(self, fields: str) -> dict[str, Any]:
        answer = await self._api.call("GET", self._path(""), query={"fields": fields})
        return self._read(answer, "opening the spreadsheet")

    async def block(self, span: str = "") -> Block:
        """Everything in ``span`` (``B2:K``; default: the whole tab, which then has to be named)."""
        query = {
            "majorDimension": "ROWS",
            "valueRenderOption": "UNFORMATTED_VALUE",
            "dateTimeRenderOption": "FORMATTED_STRING",
        }
        named = self._range(span) if span else "'" + self.sheet.replace("'", "''") + "'"
        answer = await self._api.call("GET", self._path(f"/values/{quote(named, safe='')}"), query=query)
        found = self._read(answer, "reading the sheet")
        start = _START.fullmatch(str(found.get("range", "")))
        if start is None:
            raise Reject(f"Google names the range that was read as {found.get('range')!r}, which cannot be understood")
        return Block(found.get("values", []), int(start[2]), _number(start[1]))

    async def put(self, cells: Mapping[tuple[int, int], Any]) -> None:
        """Write single cells, all or none of them, by (number of the row, column from 0); the tab, which :meth:`find`
        has found, is widened for them."""
        needed = max(column for _, column in cells) + 1
        if needed > self._width:
            await self.find()
        if needed > self._width:
            await self._widen(needed - self._width)
        runs: dict[tuple[int, int], list[Any]] = {}
        for (row, column), value in sorted(cells.items()):
            start = next(((row, at) for at in range(column, -1, -1) if (row, at - 1) not in cells), (row, column))
            runs.setdefault(start, []).append(value)
        data = [
            {
                "range": self._range(f"{letters(column)}{row}:{letters(column + len(run) - 1)}{row}"),
                "values": [run],
            }
            for (row, column), run in runs.items()
        ]
        await self._write(data, "writing into the sheet")

    async def read_headings(self) -> None:
        rows = await self._values("1:1", "reading the headings", "ROWS")
        self._headings = [str(heading) for heading in rows[0]] if rows else []

    def has(self, heading: str) -> bool:
        return self._column(heading) is not None

    def require(self, headings: Sequence[str]) -> None:
        """Raises :class:`Reject` with all that is missing."""
        missing = [heading for heading in headings if not self.has(heading)]
        if missing:
            there = ", ".join(repr(heading) for heading in self._headings if heading.strip()) or "nothing"
            raise Reject(
                f"row 1 has no heading {', '.join(map(repr, missing))}; it has {there}. Add it there, or set"
                " `add_columns: true`"
            )

    async def ensure(self, headings: Sequence[str], *, add: bool) -> None:
        """Add what is missing at the right, or refuse it."""
        if not add:
            self.require(headings)
        missing = [heading for heading in headings if not self.has(heading)]
        if not missing:
            return
        first = len(self._headings)
        await self._write([{"range": self._range(f"{letters(first)}1"), "values": [missing]}], "adding headings")
        await self.read_headings()  # somebody may have added one at the same moment
        self.require(headings)

    async def rows_with(self, heading: str, value: Any) -> list[int]:
        """Numbers of the rows whose cell under ``heading`` reads like ``value``."""
        column = self._column(heading)
        assert column is not None, "require() comes first"
        letter = letters(column)
        found = await self._values(f"{letter}2:{letter}", f"reading the column {heading!r}", "COLUMNS")
        wanted = _plain(value)
        return [number for number, cell in enumerate(found[0] if found else [], 2) if _plain(cell) == wanted]

    async def write(self, row: int, values: Mapping[str, Any]) -> None:
        """Into the cells of these headings and no others; ``None`` leaves a cell as it is."""
        data = [
            {"range": self._range(f"{letters(self._must(name))}{row}"), "values": [[value]]}
            for name, value in values.items()
            if value is not None
        ]
        if data:
            await self._write(data, f"writing row {row}")

    async def append(self, values: Mapping[str, Any]) -> int:
        """A new row below the last one; gives its number."""
        gap = next((index for index, heading in enumerate(self._headings) if not heading.strip()), None)
        if gap is not None:
            raise Reject(
                f"the heading in {letters(gap)}1 is empty; Google would take what is right of it for another table, so"
                " give it a name"
            )
        row: list[Any] = [None] * len(self._headings)
        for name, value in values.items():
            row[self._must(name)] = value
        span = self._range(f"A1:{letters(len(row) - 1)}1")
        query = {"valueInputOption": "RAW", "insertDataOption": "INSERT_ROWS"}
        path = self._path(f"/values/{quote(span, safe='')}:append")
        answer = await self._api.call("POST", path, query=query, body={"values": [row]})
        landed = str(self._read(answer, "appending a row").get("updates", {}).get("updatedRange", ""))
        place = re.search(r"!A(\d+)(?::|$)", landed)
        if not place:
            raise Reject(f"the row was appended at {landed!r} and not from column A on; remove tables beside this one")
        return int(place[1])

    async def _values(self, span: str, doing: str, major: str) -> list[list[Any]]:
        query = {"majorDimension": major, "valueRenderOption": "UNFORMATTED_VALUE"}
        path = self._path(f"/values/{quote(self._range(span), safe='')}")
        return self._read(await self._api.call("GET", path, query=query), doing).get("values", [])

    async def _write(self, data: list[dict[str, Any]], doing: str) -> None:
        body = {"valueInputOption": "RAW", "data": data}
        self._read(await self._api.call("POST", self._path("/values:batchUpdate"), body=body), doing)

    def _read(self, answer: Answer, doing: str) -> dict[str, Any]:
        if answer.ok:
            return answer.body
        if answer.status == 429:
            try:
                answer.fail(doing, self._api.account.now())
            except Retry as error:
                raise Retry(error.reason, after=max(error.after or 0.0, MINUTE), detail=error.detail) from None
        who = self._api.account.who or "the account"
        todo = {
            400: f"is there a tab named {self.sheet!r}?" if self.sheet else "",
            403: f"share the spreadsheet with {who} as an editor, and enable the Google Sheets API in its project",
            404: "compare the spreadsheet's id with its address",
        }.get(answer.status, "")
        return answer.fail(doing, self._api.account.now(), todo)

    def _path(self, rest: str) -> str:
        return f"/v4/spreadsheets/{self.spreadsheet}{rest}"

    def _range(self, span: str) -> str:
        return "'" + self.sheet.replace("'", "''") + "'!" + span if self.sheet else span

    def _must(self, heading: str) -> int:
        column = self._column(heading)
        assert column is not None, "require() comes first"
        return column

    def _column(self, heading: str) -> int | None:
        """The first column of that heading; case, spaces around and between, and _ do not matter."""
        wanted = _folded(heading)
        return next((index for index, there in enumerate(self._headings) if _folded(there) == wanted), None)


def letters(column: int) -> str:
    """``A`` for 0, ``AA`` for 26."""
    name, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _number(letters: str) -> int:
    """0 for ``A``, 26 for ``AA``."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _folded(heading: str) -> str:
    return re.sub(r"[\s_]+", " ", heading).strip().casefold()


def _plain(value: Any) -> str:
    """A key as people compare it: 7, 7.0 and "7" are the same."""
    if isinstance(value, bool):
        return str(value).upper()
    text = str(value).strip()
    return text.removesuffix(".0") if isinstance(value, float) else text
