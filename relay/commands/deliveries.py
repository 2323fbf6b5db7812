"""``beatrelay deliveries``: find what has not arrived, and send it again, over the running relay's own API."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from relay.commands.remote import Api, api_of
from relay.journal import LaneRow

STATES = ("waiting", "due", "leased", "parked", "done", "dead", "unrouted", "dismissed")
REPLAYABLE = ("dead", "dismissed", "done")
_PAGE = 100


class Moment(click.ParamType[float]):
    """A date, a time, or how long ago: ``2026-11-25``, ``2026-11-25T10:00:00+00:00``, ``36h``, ``7d``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        seconds = {"m": 60, "h": 3600, "d": 86400}
        try:
            if value[-1:] in seconds:
                return time.time() - float(value[:-1]) * seconds[value[-1]]
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2026-11-25, 2026-11-25T10:00:00+00:00, or how long ago: 36h", param, ctx
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _filters(command: Any) -> Any:
    for option in (
        click.option("--error", metavar="TEXT", help="Only with TEXT in the last error."),
        click.option("--until", type=Moment(), metavar="TIME", help="Only those planned before."),
        click.option("--since", type=Moment(), metavar="TIME", help="Only those planned since: 36h, 2026-11-25."),
        click.option("--task", metavar="TASK", help="Only of this task."),
        click.option("--connection", metavar="NAME", help="Only through this connection."),
        click.option("--recipe", metavar="NAME", help="Only of this recipe."),
    ):
        command = option(command)
    return command


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def deliveries(context: click.Context, url: str | None, config: Path) -> None:
    """Find what has not arrived and why; send it again; pause and resume a destination."""
    context.obj = api_of(url, config)


@deliveries.command("list")
@click.option("--undelivered", is_flag=True, help="All that has not arrived, whatever the reason.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
@_filters
@click.pass_obj
def list_command(api: Api, undelivered: bool, state: str | None, limit: int, **filters: Any) -> None:
    """List deliveries, newest first."""
    if undelivered and state:
        raise click.UsageError("--undelivered and --state exclude each other")
    query = {name: value for name, value in filters.items() if value is not None}
    if undelivered or state:
        query["state"] = "undelivered" if undelivered else state
    before: dict[str, str] = {}
    while limit > 0:
        page = api.call("GET", f"/relay/v1/deliveries?{urlencode({**query, **before, 'limit': min(limit, _PAGE)})}")
        for one in page["data"]:
            click.echo(_line(one))
        limit -= _PAGE
        if len(page["data"]) < _PAGE:
            break
        before = {"before": page["data"][-1]["id"]}


@deliveries.command("show")
@click.argument("delivery")
@click.pass_obj
def show_command(api: Api, delivery: str) -> None:
    """Tell all about DELIVERY; its task's story (`beatrelay why`) has each attempt."""
    for name, value in api.call("GET", f"/relay/v1/deliveries/{delivery}").items():
        shown = datetime.fromtimestamp(value, UTC).isoformat() if name.endswith("_at") and value else value
        click.echo(f"{name:12} {'-' if shown is None else shown}")


@deliveries.command("replay")
@click.argument("ids", nargs=-1, metavar="[DELIVERY]...")
@click.option("--state", type=click.Choice(REPLAYABLE), multiple=True, help="Default: dead; of ids, any.")
@click.option("--new", is_flag=True, help="As new deliveries by today's recipe; else the same ones, as they were.")
@click.option("--yes", is_flag=True, help="Do it; without, only the effects are counted.")
@_filters
@click.pass_obj
def replay_command(
    api: Api, ids: tuple[str, ...], state: tuple[str, ...], new: bool, yes: bool, **filters: Any
) -> None:
    """Send DELIVERY again, or all that fit the options. Shows the effects; --yes carries them out."""
    states = list(state) or (list(REPLAYABLE) if ids else ["dead"])
    body = _chosen(ids, filters) | {"state": states, "as": "new" if new else "same", "confirm": yes}
    _tell(api.call("POST", "/relay/v1/deliveries/replay", json=body))


@deliveries.command("dismiss")
@click.argument("ids", nargs=-1, metavar="[DELIVERY]...")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in each one's task record.")
@click.option("--yes", is_flag=True, help="Do it; without, they are only counted.")
@_filters
@click.pass_obj
def dismiss_command(api: Api, ids: tuple[str, ...], reason: str, yes: bool, **filters: Any) -> None:
    """Put dead letter DELIVERY aside, or all that fit the options, with the steps that wait behind.

    They are no longer counted as undelivered; a replay still sends them.
    """
    body = _chosen(ids, filters) | {"reason": reason, "confirm": yes}
    told = api.call("POST", "/relay/v1/deliveries/dismiss", json=body)
    behind = f", {told['behind']} of them behind another" if told["behind"] else ""
    what = "are dismissed" if told["done"] else "would be dismissed; add --yes to do it"
    click.echo(f"{told['count']} deliveries {what}{_by(told)}{behind}")


@deliveries.command("backfill")
@click.argument("recipe")
@click.option("--since", type=Moment(), metavar="TIME", default="30d", show_default=True, help="Finishes since then.")
@click.option("--until", type=Moment(), metavar="TIME", help="Finishes before; default: now.")
@click.option("--task", metavar="TASK", help="Only of this task.")
@click.option("--yes", is_flag=True, help="Do it.")
@click.option("--dry-run", is_flag=True, help="Only count the effects; the default.")
@click.pass_obj
def backfill_command(
    api: Api, recipe: str, since: float, until: float | None, task: str | None, yes: bool, dry_run: bool
) -> None:
    """Run RECIPE, as it is today, over past finishes that it matches and that never had it."""
    body = {"recipe": recipe, "since": since, "until": until, "task_id": task, "confirm": yes and not dry_run}
    _tell(api.call("POST", "/relay/v1/deliveries/backfill", json=body))


@deliveries.command("lanes")
@click.pass_obj
def lanes_command(api: Api) -> None:
    """List destinations: what waits there, and what holds it."""
    for lane in api.call("GET", "/relay/v1/lanes")["data"]:
        one = msgspec.convert(lane, LaneRow)
        click.echo(f"{one.name}  due {one.due}  under way {one.leased}  parked {one.parked}  {_standing(one)}")


@deliveries.command("pause")
@click.argument("connection")
@click.option("--reason", default="a person paused it", help="Shown to whoever looks.")
@click.pass_obj
def pause_command(api: Api, connection: str, reason: str) -> None:
    """Send nothing more through CONNECTION (or to any lane); all of it is parked."""
    moved = api.call("POST", "/relay/v1/lanes/pause", json={"lane": connection, "reason": reason})
    click.echo(f"{connection} is paused; {moved['count']} deliveries are parked")


@deliveries.command("resume")
@click.argument("connection")
@click.pass_obj
def resume_command(api: Api, connection: str) -> None:
    """Go on with CONNECTION (or any lane): drain what is parked, and try at once what waits for its next try."""
    moved = api.call("POST", "/relay/v1/lanes/resume", json={"lane": connection})
    click.echo(f"{connection} goes on; {moved['count']} deliveries are due")


def _standing(lane: LaneRow) -> str:
    match lane.standing(time.time()):
        case "paused":
            return f"paused: {lane.reason}"
        case "open":
            return f"down, {lane.probes} probes failed: {lane.error}"
        case "held":
            until = datetime.fromtimestamp(lane.held_until or 0.0).astimezone()
            return f"left alone until {until:%Y-%m-%d %H:%M:%S}, as it wished: {lane.error or 'no reason told'}"
        case "ok":
            return "ok"


def _line(one: dict[str, Any]) -> str:
    error = f"  {one['error']}" if one["error"] else ""
    return f"{one['id']}  {one['state']:8}  {one['task_id']}  {one['recipe']} / {one['step']} → {one['lane']}{error}"


def _chosen(ids: tuple[str, ...], filters: dict[str, Any]) -> dict[str, Any]:
    """The part of an order that says which deliveries are meant."""
    names = {"task": "task_id"}
    return {"ids": list(ids)} | {names.get(name, name): value for name, value in filters.items() if value is not None}


def _by(effects: dict[str, Any]) -> str:
    by = ", ".join(f"{number} {name}" for name, number in sorted(effects["by_connector"].items()))
    return f" ({by})" if by else ""


def _tell(effects: dict[str, Any]) -> None:
    what = "to be sent" if effects["done"] else "would be sent; add --yes to do it"
    click.echo(f"{effects['count']} deliveries {what}{_by(effects)}")
    for why, number in sorted(effects["skipped"].items()):
        click.echo(f"left out: {number}, {why}")
