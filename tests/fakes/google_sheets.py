"""Google Sheets v4, as far as the connector needs it: strict, from its documentation and discovery document."""

import re
from collections.abc import Callable
from typing import Any

from .google_wire import Call, GoogleFake, Refused, Reply

_RANGE = re.compile(r"(?:'((?:[^']|'')+)'!|(\w+)!)?([A-Z]*)(\d*)(?::([A-Z]*)(\d*))?")
_TAB = re.compile(r"'((?:[^']|'')+)'|(\w+)")


class SheetsFake(GoogleFake):
    """One spreadsheet, ``sheet_1``; rows hold what was stored, a formula as ``("formula", text)``."""

    api = ("sheets", "v4")

    def __init__(self) -> None:
        super().__init__()
        self.tabs: dict[str, list[list[Any]]] = {"Videos": []}
        self.width, self.height = 26, 1000
        """The grid of each tab, as a new one has it; nothing is written outside of it."""
        self.meddle: Callable[[Call], None] = lambda _: None
        """What people do at the very moment at which a call comes in."""

    @property
    def rows(self) -> list[list[Any]]:
        return self.tabs["Videos"]

    def on_spreadsheets_get(self, call: Call) -> Reply:
        self._known(call)
        grid = {"rowCount": self.height, "columnCount": self.width}
        sheets = [
            {"properties": {"title": title, "sheetId": 100 * number, "gridProperties": grid}}
            for number, title in enumerate(self.tabs)
        ]
        return Reply(body={"properties": {"title": "Campaign"}, "sheets": sheets})

    def on_spreadsheets_batch_update(self, call: Call) -> Reply:
        self._known(call)
        replies: list[dict[str, Any]] = []
        for request in call.body["requests"]:
            (kind, asked), *others = request.items()
            if others or kind != "appendDimension":
                raise Refused(501, "notImplemented", f"the fake has no {kind}")
            if asked.get("sheetId", 0) not in [100 * number for number in range(len(self.tabs))]:
                raise Refused(400, "INVALID_ARGUMENT", f"Invalid requests[0].appendDimension: No grid with id: {asked}")
            if asked.get("dimension") != "COLUMNS" or asked.get("length", 0) < 1:
                raise Refused(400, "INVALID_ARGUMENT", "Invalid requests[0].appendDimension: length is required")
            self.width += asked["length"]
            replies.append({})
        return Reply(body={"spreadsheetId": "sheet_1", "replies": replies})

    def on_spreadsheets_values_get(self, call: Call) -> Reply:
        self._known(call)
        tab, left, top, right, bottom = self._range(call.names["range"])
        rows = [_trimmed(row[left:right]) for row in self.tabs[tab][top:bottom]]
        if call.query.get("majorDimension") == "COLUMNS":
            width = max(map(len, rows), default=0)
            rows = [_trimmed([row[at] if at < len(row) else "" for row in rows]) for at in range(width)]
        while rows and not rows[-1]:
            rows.pop()
        return Reply(body={"range": self._named(call.names["range"]), **({"values": rows} if rows else {})})

    def on_spreadsheets_values_batch_update(self, call: Call) -> Reply:
        self._known(call)
        places = [self._range(data["range"]) for data in call.body["data"]]  # all or nothing
        for place, data in zip(places, call.body["data"], strict=True):
            self._within(place, data)
        for place, data in zip(places, call.body["data"], strict=True):
            for down, row in enumerate(data["values"]):
                self._store(place[0], place[2] + down, place[1], row, call.body.get("valueInputOption"))
        return Reply(body={"spreadsheetId": "sheet_1", "totalUpdatedCells": len(places)})

    def on_spreadsheets_values_append(self, call: Call) -> Reply:
        self._known(call)
        tab, left, top, right, _ = self._range(call.names["range"])
        rows, option = self.tabs[tab], call.query.get("valueInputOption")
        bottom = top
        while bottom < len(rows) and any(cell not in ("", None) for cell in rows[bottom][left:right]):
            bottom += 1
        for number, row in enumerate(call.body["values"]):
            if call.query.get("insertDataOption") == "INSERT_ROWS":
                rows.insert(bottom + number, [])
            self._store(tab, bottom + number, left, row, option)
        span = f"'{tab}'!{_letter(left)}{bottom + 1}:{_letter(left + len(call.body['values'][0]) - 1)}{bottom + 1}"
        return Reply(body={"spreadsheetId": "sheet_1", "updates": {"updatedRange": span, "updatedRows": 1}})

    def _store(self, tab: str, row: int, left: int, cells: list[Any], option: str | None) -> None:
        if option not in ("RAW", "USER_ENTERED"):
            raise Refused(400, "INVALID_ARGUMENT", "'valueInputOption' is required but not specified")
        rows = self.tabs[tab]
        rows.extend([] for _ in range(row + 1 - len(rows)))
        rows[row].extend("" for _ in range(left + len(cells) - len(rows[row])))
        for at, cell in enumerate(cells, left):
            if cell is None:
                continue  # null leaves a cell as it is
            if isinstance(cell, dict | list):
                raise Refused(400, "INVALID_ARGUMENT", f"Invalid values[0][{at}]: struct_value")
            parsed = option == "USER_ENTERED" and isinstance(cell, str) and cell.startswith("=")
            rows[row][at] = ("formula", cell) if parsed else cell

    def _range(self, text: str) -> tuple[str, int, int, int, int]:
        """Tab, and half-open bounds."""
        whole = _TAB.fullmatch(text)
        name = (whole[1] or whole[2]).replace("''", "'") if whole else ""
        if name in self.tabs:  # a tab's name alone is all of it
            return name, 0, 0, self.width, self.height
        match = _RANGE.fullmatch(text)
        tab = (match[1] or match[2] or "").replace("''", "'") if match else ""
        if not match or (tab and tab not in self.tabs):
            raise Refused(400, "INVALID_ARGUMENT", f"Unable to parse range: {text}")
        left, top = _column(match[3]) if match[3] else 0, int(match[4] or 1) - 1
        single = match[5] is None and match[6] is None
        right = (left if single else _column(match[5]) if match[5] else 17_999) + 1
        bottom = top + 1 if single else int(match[6] or 10_000_000)
        return tab or next(iter(self.tabs)), left, top, right, bottom

    def _named(self, text: str) -> str:
        """The range as Google answers it: with its tab, and with both ends, inside the grid."""
        tab, left, top, right, bottom = self._range(text)
        name = tab if re.fullmatch(r"\w+", tab) else "'" + tab.replace("'", "''") + "'"
        end = f"{_letter(min(right, self.width) - 1)}{min(bottom, self.height)}"
        return f"{name}!{_letter(left)}{top + 1}:{end}"

    def _within(self, place: tuple[str, int, int, int, int], data: dict[str, Any]) -> None:
        tab, left, top, right, bottom = place
        one = (right - left, bottom - top) == (1, 1)  # a single cell only says where to begin
        if one:
            right, bottom = left + max(map(len, data["values"]), default=1), top + len(data["values"])
        if right > self.width or bottom > self.height:
            raise Refused(
                400,
                "INVALID_ARGUMENT",
                f"Range ({tab}!{_letter(left)}{top + 1}) exceeds grid limits. Max rows: {self.height},"
                f" max columns: {self.width}",
            )
        if len(data["values"]) > bottom - top or any(len(row) > right - left for row in data["values"]):
            raise Refused(400, "INVALID_ARGUMENT", f"Requested writing within range [{data['range']}], but tried more")

    def _known(self, call: Call) -> None:
        self.meddle(call)
        if call.names["spreadsheetId"] != "sheet_1":
            raise Refused(404, "NOT_FOUND", "Requested entity was not found.")


def _trimmed(row: list[Any]) -> list[Any]:
    end = len(row)
    while end and row[end - 1] in ("", None):
        end -= 1
    return row[:end]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _letter(column: int) -> str:
    return (_letter(column // 26 - 1) if column >= 26 else "") + chr(65 + column % 26)
