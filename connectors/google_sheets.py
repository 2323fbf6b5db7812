"""Write results into a Google spreadsheet: a new row, or the row that a key names. Text stays text."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from time import time
from typing import Any, ClassVar, Literal

import httpx
import msgspec
from msgspec import field

from .base import Connector, ConnectorConfig, Delivery, Outcome, Reject
from .google_api import GoogleApi
from .google_auth import Accounts, GoogleConnection
from .google_sheets_table import Table

API_URL = "https://sheets.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/spreadsheets"
OURS = "_beatrelay_id"
"""The column in which an appended row carries its delivery's id."""
LONGEST = 50_000
"""Characters that Google allows in a cell."""
_encoder = msgspec.json.Encoder(decimal_format="number")
_LINK = re.compile(r"https://docs\.google\.com/spreadsheets/(?:u/\d+/)?d/([\w-]+)", re.ASCII)
_ID = re.compile(r"[\w-]{5,}", re.ASCII)


class SheetsConfig(ConnectorConfig):
    """``with:`` of a step that uses ``google_sheets``."""

    values: dict[str, Any]
    """What to write, by column heading. Lists and objects are written as JSON."""
    match: dict[str, Any] = field(default_factory=dict[str, Any])
    """One heading and a value: the row to update. Without it a row is appended."""
    missing: Literal["append", "reject"] = "append"
    """What to do if no row matches."""
    sheet: str = ""
    """The tab; default: the first."""
    spreadsheet: str = ""
    """Id or link; default: the connection's."""
    add_columns: bool = False
    """Whether headings that are missing are added at the right."""


class SheetsConnection(GoogleConnection):
    """A ``google_sheets`` connection."""

    spreadsheet: str = ""
    """Id or link of the spreadsheet, if the step does not say."""


class GoogleSheets(Connector):
    """Once: an update writes the same again; an appended row carries the delivery's id, looked up before a repeat."""

    name: ClassVar[str] = "google_sheets"
    Config = SheetsConfig
    Connection = SheetsConnection

    def __init__(self, now: Callable[[], float] = time) -> None:
        self._accounts = Accounts(SCOPE, now)

    async def table(
        self, connection: Mapping[str, str], http: httpx.AsyncClient, spreadsheet: str = "", sheet: str = ""
    ) -> Table:
        """A tab to read and write: ``sheet``, or the first one. Raises :class:`Retry` or :class:`Reject`."""
        settings = _settings(connection)
        table = Table(self._api(settings, http), _spreadsheet_id(spreadsheet or settings.spreadsheet), sheet)
        await table.find()
        return table

    async def deliver(self, config: SheetsConfig, delivery: Delivery) -> Outcome:
        settings = _settings(delivery.connection)
        spreadsheet = _spreadsheet_id(config.spreadsheet or settings.spreadsheet)
        values = {name: _cell(name, value) for name, value in config.values.items()}
        key = [(name, _cell(name, value)) for name, value in config.match.items()]
        if not values or len(key) > 1:
            raise Reject("`values` needs one heading or more, and `match` exactly one heading, or none to append")
        if key and key[0][1] in (None, ""):
            raise Reject(f"`match` has no value for {key[0][0]!r}: an empty cell names no row")
        table = Table(self._api(settings, delivery.http), spreadsheet, config.sheet)
        await table.read_headings()
        if key:
            row = await self._update(table, config, key[0], values)
            if row is not None:
                return _outcome(table, row, "updated")
            if config.missing == "reject":
                raise Reject(f"no row has {key[0][1]!r} in the column {key[0][0]!r}")
        return await self._append(table, config, delivery, {**dict(key), **values})

    async def _update(
        self, table: Table, config: SheetsConfig, key: tuple[str, Any], values: Mapping[str, Any]
    ) -> int | None:
        if config.add_columns and config.missing == "append" and not table.has(key[0]):
            return None  # a column that is made now names no row yet
        table.require([key[0]])
        await table.ensure(list(values), add=config.add_columns)
        rows = await table.rows_with(*key)
        if len(rows) > 1:
            places = ", ".join(map(str, rows[:10]))
            raise Reject(f"{len(rows)} rows have {key[1]!r} in the column {key[0]!r} (rows {places}); one may")
        if rows:
            await table.write(rows[0], values)
        return rows[0] if rows else None

    async def _append(
        self, table: Table, config: SheetsConfig, delivery: Delivery, values: Mapping[str, Any]
    ) -> Outcome:
        await table.ensure(list(values), add=config.add_columns)
        await table.ensure([OURS], add=True)
        if await delivery.notes.get("append"):
            rows = await table.rows_with(OURS, delivery.key)
            if rows:
                return _outcome(table, rows[0], "appended", already=True)
        await delivery.notes.put("append", "begun")
        return _outcome(table, await table.append({**values, OURS: delivery.key}), "appended")

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        settings = _settings(connection)
        api = self._api(settings, http)
        share = (
            f"share each with {api.account.who} as an editor" if api.account.who else "the account must be its editor"
        )
        if not settings.spreadsheet:
            await api.account.token(http)
            return f"Google gives a token; each step has to name its `spreadsheet`, and {share}"
        table = Table(api, _spreadsheet_id(settings.spreadsheet), "")
        title, sheets = await table.about()
        tabs = ", ".join(map(repr, sheets))
        whom = f" as {api.account.who}, which has to be its editor" if api.account.who else ""
        return (
            f"the Google spreadsheet {title!r} with {tabs}{whom}; whether it may be written to, the first write tells"
        )

    def _api(self, settings: SheetsConnection, http: httpx.AsyncClient) -> GoogleApi:
        return GoogleApi(self._accounts.of(settings), http, (settings.api_url or API_URL).rstrip("/"))


def _settings(connection: Mapping[str, str]) -> SheetsConnection:
    try:
        return msgspec.convert(dict(connection), SheetsConnection)
    except msgspec.ValidationError as error:
        raise Reject(f"the connection does not fit google_sheets: {error}") from error


def _spreadsheet_id(text: str) -> str:
    text = text.strip()
    link = _LINK.match(text)
    if not link and not _ID.fullmatch(text):
        raise Reject(f"`spreadsheet` is {text[:100]!r}; it must be a spreadsheet's id or its link")
    return link[1] if link else text


def _cell(name: str, value: Any) -> Any:
    """What the API takes as it is: text, a number, true, false, or nothing. Raises :class:`Reject`."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    if len(text) > LONGEST:
        raise Reject(f"the value for {name!r} has {len(text)} characters; a cell holds {LONGEST}: truncate it")
    return text


def _outcome(table: Table, row: int, did: str, *, already: bool = False) -> Outcome:
    detail = {
        "spreadsheet": table.spreadsheet,
        "sheet": table.sheet or None,
        "row": row,
        "did": did,
        "already": already,
    }
    return Outcome(url=f"https://docs.google.com/spreadsheets/d/{table.spreadsheet}/edit", detail=detail)
