"""How a batch looks in a terminal: its plan, its progress, and what failed."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

SHOWN = 40
"""Rows that are shown one by one; the rest is counted."""
_STATES = {
    "new": "new: will be asked for",
    "known": "asked for before: nothing is sent or charged",
    "changed": "changed since they were asked for (--changed asks again, and pays again)",
    "failed": "failed earlier (--failed asks again)",
    "twin": "the same as an earlier row: asked for once",
    "invalid": "invalid: cannot be asked for",
}
_LEFT = {"changed": "changed", "failed": "failed earlier", "twin": "the same as", "known": "asked before"}


def show_plan(console: Console, plan: Mapping[str, Any], asked: Sequence[Mapping[str, Any]]) -> None:
    """The plan as a person reads it: columns, problems by cell, each row to ask for with its price, and the total."""
    known = ", ".join(f"{title} → {meaning}" for title, meaning in plan["columns"].items())
    sheet = f"  {plan['sheet']}" if plan["sheet"] else ""
    console.print(f"[bold]{escape(plan['name'])}[/]{escape(sheet)}\n[dim]{escape(known)}[/]\n")
    wrong = [row for row in plan["rows"] if row["problems"] and row["state"] != "twin"]
    if wrong:
        table = Table("row", "cell", "what is wrong", "what to do", title=f"{len(wrong)} rows cannot be asked for")
        for row in wrong[:SHOWN]:
            for problem in row["problems"]:
                value = f" (it is {problem['value']!r})" if problem["value"] else ""
                where = problem["cell"] or problem["column"]
                _add(table, str(row["number"]), where, problem["rule"] + value, problem["fix"])
        console.print(table)
        if len(wrong) > SHOWN:
            console.print(f"… and {len(wrong) - SHOWN} more")
    if asked:
        console.print(_rows(asked))
        if len(asked) > SHOWN:
            console.print(f"… and {len(asked) - SHOWN} more")
    for state, words in _STATES.items():
        if plan["counts"].get(state):
            console.print(f"{plan['counts'][state]:6}  {words}")
    hidden = sum(row["hidden"] for row in asked)
    if hidden:
        console.print(f"{hidden:6}  [bold]hidden[/] in the sheet, by hand or by a filter: asked for as all others")
    console.print(_price(plan["quote"]))


def show_left_alone(console: Console, plan: Mapping[str, Any], asked: Sequence[Mapping[str, Any]]) -> None:
    """Each row that could be asked for and is not, with why: changed and failed ones first."""
    numbers = {row["number"] for row in asked}
    left = [row for state in _LEFT for row in plan["rows"] if row["state"] == state and row["number"] not in numbers]
    if not left:
        return
    table = Table("row", "", "what", "task", title=f"{len(left)} rows are left alone")
    for row in left[:SHOWN]:
        same = f"row {row['twin_of']}" if row["twin_of"] else row["task_id"] or ""
        _add(table, str(row["number"]), _LEFT[row["state"]], _name(row["facts"], row["request"]), same)
    console.print(table)
    if len(left) > SHOWN:
        console.print(f"… and {len(left) - SHOWN} more")


def _add(table: Table, *cells: str) -> None:
    """A row whose cells are shown as they are: a title in square brackets is no markup."""
    table.add_row(*map(Text, cells))


def _price(quote: Mapping[str, Any]) -> str:
    unit = "credits" if quote["unit"] == "credits" else "USD"
    if not quote["items"]:
        return ""
    price = f"{quote['least']}" if quote["least"] == quote["most"] else f"{quote['least']} to {quote['most']}"
    words = f"\nPrice: {price} {unit}"
    words += f" (and {quote['unknown']} rows that the rate table does not know)" if quote["unknown"] else ""
    if quote["balance"] is not None:
        words += f"; balance: {quote['balance']}"
        words += {"no": ", which is [bold red]not enough[/]", "perhaps": ", which may not be enough"}.get(
            quote["enough"] or "", ""
        )
    minutes = quote["seconds"] / 60
    return words + f". About {minutes:.0f} min at {quote['concurrency'] or 1} at a time."


def _rows(asked: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("row", "", "what", "length", "price", title=f"{len(asked)} rows to ask for")
    for row in asked[:SHOWN]:
        seconds = row["request"].get("duration")
        price = _range(row["price"]) if row["price"] else ""
        length = f"{seconds} s" if seconds else "by the song"
        state = f"{row['state']}, hidden" if row["hidden"] else row["state"]
        _add(table, str(row["number"]), state, _name(row["facts"], row["request"]), length, price)
    return table


def _range(price: Mapping[str, Any]) -> str:
    if price["least"] is None:
        return "not in the rate table"
    if price["least"] == price["most"]:
        return f"{price['least']}"
    likely = f"about {price['likely']}, " if price["likely"] is not None else ""
    return f"{likely}{price['least']} to {price['most']}"


def _name(facts: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """What a person knows a row by."""
    for name in ("title", "song", "name", "id"):
        if facts.get(name):
            return str(facts[name])[:60]
    return str(request.get("prompt") or request.get("audio_url") or "")[:60]


class Progress:
    """The batch as one bar, and under it each row that is at work."""

    def __init__(self) -> None:
        self._bars = Bars(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = self._bars.add_task("starting", total=None)
        self._rows: Sequence[Mapping[str, Any]] = ()

    def update(self, summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """What the relay says now: of the batch, and of the rows at work."""
        total, left = summary["done"] + summary["failed"] + summary["open"], summary["seconds_left"]
        words = f"{summary['done']} done, {summary['failed']} failed"
        words += f", about {_minutes(left)} left" if left else ""
        self._bars.update(self._bar, completed=total - summary["open"], total=total, description=words)
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._bars
        table = Table.grid(padding=(0, 2))
        for row in self._rows:
            table.add_row(f"  row {row['number']}", row["status"], Text(_name(row["row"], {}), style="dim"))
        yield table


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def show_failures(console: Console, rows: Sequence[Mapping[str, Any]], count: int) -> None:
    """Each row that failed, with its code, message and refund."""
    if not rows:
        return
    table = Table("row", "what", "why", "task", title=f"{count} rows failed (--failed asks for them again)")
    for row in rows:
        _add(table, str(row["number"]), _name(row["row"], {}), row["error"], row["task_id"])
    console.print(table)
    if count > len(rows):
        console.print(f"… and {count - len(rows)} more")
