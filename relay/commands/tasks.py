"""``beatrelay tasks``: what a person does to tasks, over the running relay's own API."""

from pathlib import Path
from typing import Any

import click

from relay.commands.remote import Api, api_of


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def tasks(context: click.Context, url: str | None, config: Path) -> None:
    """List tasks, and settle those whose create nobody knows the fate of."""
    context.obj = api_of(url, config)


@tasks.command("list")
@click.option("--unconfirmed", is_flag=True, help="Only what a person must settle.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.pass_obj
def list_command(api: Api, unconfirmed: bool, limit: int) -> None:
    """List the newest tasks, or what is unconfirmed."""
    if unconfirmed:
        for one in api.call("GET", "/relay/v1/unconfirmed")["data"]:
            click.echo(f"{one['task_id']}  {one['workflow']}  {one['reason']}")
        return
    for one in api.call("GET", f"/relay/v1/tasks?limit={limit}")["data"]:
        click.echo(f"{one['id']}  {one['workflow']}  {one['status']}")


@tasks.command("settle")
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--adopt", metavar="PROVIDER_ID", help="It was accepted: this is Beat API's id of it (of one TASK only).")
@click.option("--resubmit", is_flag=True, help="It was not accepted: send it again.")
@click.option("--abandon", is_flag=True, help="Give it up: it ends as failed.")
@click.option("--error", default="", metavar="TEXT", help="All (of the TASKs) that have TEXT in their reason.")
@click.option("--yes", is_flag=True, help="With --error: do it; without, they are only counted.")
@click.pass_obj
def settle_command(
    api: Api, tasks: tuple[str, ...], adopt: str | None, resubmit: bool, abandon: bool, error: str, yes: bool
) -> None:
    """Settle TASK, whose create was sent and never heard of again, or is held after a restore; or several of them.

    Look at Beat API's dashboard first: --resubmit pays again if the first one was accepted after all.
    """
    if sum((adopt is not None, resubmit, abandon)) != 1:
        raise click.UsageError("decide one: --adopt PROVIDER_ID, --resubmit or --abandon")
    if not (tasks or error):
        raise click.UsageError("say which: TASK, or --error TEXT")
    if adopt is not None and (len(tasks) != 1 or error):
        raise click.UsageError("--adopt names one task at Beat API, so it takes one TASK")
    decision = "adopt" if adopt is not None else "resubmit" if resubmit else "abandon"
    if error:
        _sweep(api, {"decision": decision, "task_ids": list(tasks), "error": error, "confirm": yes})
        return
    for task in tasks:
        body = {"decision": decision, "provider_id": adopt}
        settled = api.call("POST", f"/relay/v1/tasks/{task}/settle", json=body)
        click.echo(f"{settled['id']}: {settled['status']}")


def _sweep(api: Api, body: dict[str, Any]) -> None:
    told = api.call("POST", "/relay/v1/unconfirmed/settle", json=body)
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(told["by_kind"].items()))
    verb = "sent again" if body["decision"] == "resubmit" else "given up"
    what = f"are {verb}" if told["done"] else f"would be {verb}; add --yes to do it"
    click.echo(f"{told['count']} operations {what}{f' ({kinds})' if kinds else ''}")
    if told["skipped"]:
        click.echo(f"left out: {told['skipped']}, something else became of them meanwhile")


@tasks.command("cancel")
@click.argument("task")
@click.pass_obj
def cancel_command(api: Api, task: str) -> None:
    """Cancel what of TASK still waits in the queue. Nothing is charged."""
    cancelled = api.call("POST", f"/relay/v1/tasks/{task}/cancel")
    click.echo(f"{cancelled['task_id']}: {cancelled['kind']} cancelled")


@tasks.command("prioritise")
@click.argument("task")
@click.argument("priority", type=click.IntRange(-9, 9))
@click.pass_obj
def prioritise_command(api: Api, task: str, priority: int) -> None:
    """Give TASK, which waits in the queue, another PRIORITY: -9 to 9, higher goes first.

    Write negative ones after --.
    """
    moved = api.call("POST", f"/relay/v1/tasks/{task}/priority", json={"priority": priority})
    click.echo(f"{moved['task_id']}: priority {moved['priority']}")
