"""``beatrelay sheets``: Google sheets that the running relay watches."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay.commands.batch_view import show_plan
from relay.commands.remote import Api, api_of

_STATES = {
    "new": "new",
    "known": "asked for before",
    "changed": "changed",
    "waiting": "has to wait",
    "twin": "same as an earlier row",
    "invalid": "invalid",
}


@click.group(
    epilog="""\b
A sheet is watched because beatrelay.toml says so:
  [sheets.songs]
  connection = "google"            # a google_sheets connection
  spreadsheet = "https://docs.google.com/spreadsheets/d/1AbC.../edit"
  every = "30s"                    # or cron = "*/10 8-18 * * mon-fri"
  credits_per_day = 500            # what strangers' rows may cost at most
docs/how-to/google-sheets.md shows it step by step."""
)
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def sheets(context: click.Context, url: str | None, config: Path) -> None:
    """Turn the rows of a shared Google sheet into videos, as people write them.

    A row whose status is empty is taken; what becomes of it is written beside it.
    """
    context.obj = api_of(url, config)


@sheets.command("list")
@click.pass_obj
def list_command(api: Api) -> None:
    """List the sheets that are watched, and what keeps one from working."""
    found = api.call("GET", "/relay/v1/sheets")["data"]
    if not found:
        click.echo("no sheet is watched; `beatrelay sheets --help` shows how to begin")
    for one in found:
        rows = ", ".join(f"{count} {state}" for state, count in one["states"].items()) or "no rows yet"
        click.echo(f"{one['name']}  {one['sheet'] or one['spreadsheet']}  {one['schedule']}  {_read(one)}  {rows}")
        if one["problem"]:
            click.echo(f"  does not work: {one['problem']}")
        for row_id, cells in one["held"].items():
            kept = ", ".join(f"{name} is {text[:60]!r}" for name, text in cells.items())
            click.echo(f"  {row_id}: left as a person wrote it: {kept}")


@sheets.command("check")
@click.argument("name")
@click.pass_obj
def check_command(api: Api, name: str) -> None:
    """Read the sheet NAME and show what would be taken now, what is wrong by cell, and the price.

    Nothing is written, sent or spent. Begin with this: it also tells with whom the sheet must be shared.
    """
    plan = api.call("GET", f"/relay/v1/sheets/{quote(name, safe='')}/plan")
    console = Console()
    show_plan(console, plan, [])
    if plan["rows"]:
        console.print(_rows(plan))
    console.print(f"{plan['left_alone']:6}  have a status, or are not ready: left alone")
    if plan["credits_per_day"] is None:
        console.print("No credits_per_day is set: whoever may write into this sheet may spend the whole balance.")
    else:
        console.print(f"At most {plan['credits_per_day']} a day may be spent by this sheet.")


@sheets.command("run")
@click.argument("name")
@click.pass_obj
def run_command(api: Api, name: str) -> None:
    """Read the sheet NAME once, now: take its rows and write what is new. This spends credits.

    As its schedule would by itself. A row is never asked for twice, however often this runs.
    """
    turn = api.call("POST", f"/relay/v1/sheets/{quote(name, safe='')}/run")
    click.echo(f"{turn['rows']} rows: {turn['taken']} taken, {turn['written']} written into")


def _read(one: Mapping[str, Any]) -> str:
    if one["read_at"] is None:
        return "not read yet"
    return "read " + time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["read_at"]))


def _rows(plan: Mapping[str, Any]) -> Table:
    table = Table("row", "would be", "", title="Rows with an empty status")
    for row in plan["rows"]:
        told = row["note"] or row["task_id"] or "; ".join(problem["column"] for problem in row["problems"])
        table.add_row(str(row["number"]), _STATES[row["state"]], Text(told))
    return table
