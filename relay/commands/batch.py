"""``beatrelay batch``: a sheet of songs becomes videos, over the running relay's own API."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.live import Live

from relay.commands.batch_view import SHOWN, Progress, show_failures, show_left_alone, show_plan
from relay.commands.remote import Api, Away, api_of
from relay.contract import ACTIONABLE, OPEN, Status
from relay.sheets.put import beside, digest, may_replace, write_whole

T = TypeVar("T")
PAUSE = 1.0
"""Seconds between two looks at a running batch."""
AT_WORK = 8
"""Rows at work that are shown one by one."""


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def batch(context: click.Context, url: str | None, config: Path) -> None:
    """Turn a spreadsheet of songs into videos."""
    context.obj = api_of(url, config)


@batch.command("run")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--sheet", help="Which sheet of a workbook; default: the first visible one.")
@click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD", help="What a column means; may be repeated.")
@click.option("--set", "defaults", multiple=True, metavar="FIELD=VALUE", help="Fills in empty cells; may be repeated.")
@click.option("--recipe", "recipes", multiple=True, help="Only this recipe hears of the batch; may be repeated.")
@click.option("--tag", "tags", multiple=True, help="A tag for recipes to match; may be repeated.")
@click.option("--priority", type=click.IntRange(-9, 9), default=0, show_default=True, help="Higher goes first.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its price, and stop.")
@click.option("--changed", is_flag=True, help="Ask again for rows that have changed; each is charged again.")
@click.option("--failed", is_flag=True, help="Ask again for rows that failed.")
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@click.option("--in-place", is_flag=True, help="Write the results into FILE itself; default: beside it.")
@click.pass_obj
def run_command(api: Api, file: Path, **options: Any) -> None:
    """Make a video of every new row of FILE (CSV, XLSX, XLS or ODS).

    First the plan: every row, what is wrong with it by cell, and the price against the balance. Then, once you agree,
    each new row becomes one task. Running the same sheet again asks only for what is new. Ctrl-C leaves the batch
    running; `beatrelay batch attach` comes back to it.
    """
    console = Console()
    content = file.read_bytes()
    query: list[tuple[str, str]] = [("name", file.name)]
    query += [("sheet", options["sheet"])] if options["sheet"] else []
    query += [("column", pair) for pair in options["columns"]]
    query += [("default", pair) for pair in options["defaults"]]
    query += [("recipe", name) for name in options["recipes"]]
    query += [(name, "true") for name in ("changed", "failed") if options[name]]
    headers = {"x-beatrelay-priority": str(options["priority"]), "x-beatrelay-tags": ",".join(options["tags"])}
    plan = api.call("POST", f"/relay/v1/batches?{urlencode(query)}", content=content, headers=headers)
    asked = _asked(plan, options)
    show_plan(console, plan, asked)
    show_left_alone(console, plan, asked)
    if options["dry_run"] or not asked:
        if not options["dry_run"]:
            console.print("Nothing to ask for.")
        return
    if not options["yes"] and not click.confirm(f"Ask for {len(asked)} videos?"):
        raise click.Abort
    files = _upload(api, console, file.parent, asked)
    answers = {"files": files, "changed": options["changed"], "failed": options["failed"]}
    start = f"/relay/v1/batches/{plan['id']}/start"
    _patiently(console, lambda: api.call("POST", start, json=answers))  # starting it twice changes nothing
    _follow(api, console, plan["id"], file, digest(content), in_place=options["in_place"])


@batch.command("attach")
@click.argument("batch_id", metavar="ID")
@click.option("--output", type=click.Path(path_type=Path), help="Where the results go; default: the sheet's name.")
@click.pass_obj
def attach_command(api: Api, batch_id: str, output: Path | None) -> None:
    """Follow a running batch to its end, and write its results."""
    summary = api.call("GET", f"/relay/v1/batches/{batch_id}")
    _follow(api, Console(), batch_id, output or Path(summary["name"]), "", in_place=output is not None)


@batch.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.pass_obj
def list_command(api: Api, limit: int) -> None:
    """List the newest batches."""
    for one in api.call("GET", f"/relay/v1/batches?limit={limit}")["data"]:
        click.echo(f"{one['id']}  {one['state']:9}  {one['name']}")


def _asked(plan: Mapping[str, Any], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    wanted = {"new"} | {state for state in ("changed", "failed") if options[state]}
    return [row for row in plan["rows"] if row["state"] in wanted]


def _upload(api: Api, console: Console, folder: Path, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Each local file of the sheet once; paths are relative to the sheet's folder."""
    files: dict[str, str] = {}
    for path in dict.fromkeys(upload["path"] for row in rows for upload in row["uploads"]):
        found = folder / Path(path.removeprefix("file://").replace("\\", "/")).expanduser()
        if not found.is_file():
            console.print(f"{path} is not there; its rows are left out", style="red", markup=False)
            continue
        with found.open("rb") as content:
            stored = api.call("POST", "/v1/files", files={"file": (found.name, content)})
        console.print(f"uploaded {path}", style="dim", markup=False)
        files[path] = stored["url"]
    return files


def _follow(api: Api, console: Console, batch_id: str, file: Path, read: str, *, in_place: bool) -> None:
    """Show the progress until the batch is completed, then write the results."""
    url = f"/relay/v1/batches/{batch_id}"
    at_work = urlencode(
        [("limit", AT_WORK), *(("status", status) for status in sorted(OPEN - {Status.QUEUED} | ACTIONABLE))]
    )
    progress = Progress()
    try:
        with Live(progress, console=console, refresh_per_second=4):
            while True:
                summary = _patiently(console, lambda: api.call("GET", url))
                rows = _patiently(console, lambda: api.call("GET", f"{url}/rows?{at_work}"))["data"]
                progress.update(summary, rows)
                if summary["state"] == "completed":
                    break
                time.sleep(PAUSE)
    except KeyboardInterrupt:
        console.print(f"\nThe batch goes on by itself. Come back with: beatrelay batch attach {batch_id}")
        raise click.Abort from None
    failed = _patiently(console, lambda: api.call("GET", f"{url}/rows?status=failed&limit={SHOWN}"))["data"]
    show_failures(console, failed, summary["failed"])
    _write(api, console, batch_id, file, read or summary["digest"], in_place=in_place)
    console.print(
        f"{summary['done']} done, {summary['failed']} failed, {summary['invalid']} invalid,"
        f" {summary['skipped']} skipped; {summary['credits']} settled"
    )


def _patiently(console: Console, ask: Callable[[], T]) -> T:
    """Ask until the relay answers: a batch goes on when the relay does. Ctrl-C ends it."""
    told = False
    while True:
        try:
            return ask()
        except Away as away:
            if not told:
                console.print(f"[yellow]{away.message} Asking again until it is back; Ctrl-C leaves it be.[/]")
            told = True
            time.sleep(PAUSE)


def _write(api: Api, console: Console, batch_id: str, file: Path, read: str, *, in_place: bool) -> None:
    content = _patiently(console, lambda: api.raw("GET", f"/relay/v1/batches/{batch_id}/result"))
    target = file if in_place else beside(file, content)
    if beside(file, content).suffix != file.suffix:
        target = beside(file, content)
        console.print(f"{file.name} cannot be written into: the results come as a CSV", style="yellow", markup=False)
    elif in_place and file.exists() and not file.stem.endswith(".result"):
        why = may_replace(file, read)
        if why:
            target = beside(file)
            console.print(f"{why}: the results go to {target} instead", style="yellow", markup=False)
    write_whole(target, content)
    console.print(f"results: {target}", markup=False)
