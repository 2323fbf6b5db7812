"""``beatrelay tasks``: what a person does to tasks, over the running relay's own API."""

from pathlib import Path

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
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--adopt", metavar="PROVIDER_ID", help="It was accepted: this is Beat API's id of it (of one TASK only).")
@click.option("--resubmit", is_flag=True, help="It was not accepted: send it again.")
@click.option("--abandon", is_flag=True, help="Give it up: it ends as failed.")
@click.pass_obj
def settle_command(api: Api, tasks: tuple[str, ...], adopt: str | None, resubmit: bool, abandon: bool) -> None:
    """Settle TASK, whose create was sent and never heard of again, or is held after a restore; or several of them.

    Look at Beat API's dashboard first: --resubmit pays again if the first one was accepted after all.
    """
    if sum((adopt is not None, resubmit, abandon)) != 1:
        raise click.UsageError("decide one: --adopt PROVIDER_ID, --resubmit or --abandon")
    if adopt is not None and len(tasks) > 1:
        raise click.UsageError("--adopt names one task at Beat API, so it takes one TASK")
    decision = "adopt" if adopt is not None else "resubmit" if resubmit else "abandon"
    body = {"decision": decision, "provider_id": adopt}
    for task in tasks:
        settled = api.call("POST", f"/relay/v1/tasks/{task}/settle", json=body)
        click.echo(f"{settled['id']}: {settled['status']}")


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
