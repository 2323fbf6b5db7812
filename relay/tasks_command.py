"""``beatrelay tasks``: what a person does to tasks, over the running relay's own API."""

import os
from pathlib import Path
from typing import Any

import click
import httpx

from relay.settings import Settings, SettingsError, load


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def tasks(context: click.Context, url: str | None, config: Path) -> None:
    """List tasks, and settle those whose create nobody knows the fate of."""
    try:
        context.obj = load(os.environ, config, public_url=url)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


@tasks.command("list")
@click.option("--unconfirmed", is_flag=True, help="Only what a person must settle.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.pass_context
def list_command(context: click.Context, unconfirmed: bool, limit: int) -> None:
    """List the newest tasks, or what is unconfirmed."""
    if unconfirmed:
        for one in call(context, "GET", "/relay/v1/unconfirmed")["data"]:
            click.echo(f"{one['task_id']}  {one['workflow']}  {one['reason']}")
        return
    for one in call(context, "GET", f"/relay/v1/tasks?limit={limit}")["data"]:
        click.echo(f"{one['id']}  {one['workflow']}  {one['status']}")


@tasks.command("settle")
@click.argument("task")
@click.option("--adopt", metavar="PROVIDER_ID", help="It was accepted: this is Beat API's id of it.")
@click.option("--resubmit", is_flag=True, help="It was not accepted: send it again.")
@click.option("--abandon", is_flag=True, help="Give it up: it ends as failed.")
@click.pass_context
def settle_command(context: click.Context, task: str, adopt: str | None, resubmit: bool, abandon: bool) -> None:
    """Settle TASK, whose create was sent and never heard of again.

    Look at Beat API's dashboard first: --resubmit pays again if the first one was accepted after all.
    """
    if sum((adopt is not None, resubmit, abandon)) != 1:
        raise click.UsageError("decide one: --adopt PROVIDER_ID, --resubmit or --abandon")
    decision = "adopt" if adopt is not None else "resubmit" if resubmit else "abandon"
    body = {"decision": decision, "provider_id": adopt}
    settled = call(context, "POST", f"/relay/v1/tasks/{task}/settle", body)
    click.echo(f"{settled['id']}: {settled['status']}")


@tasks.command("cancel")
@click.argument("task")
@click.pass_context
def cancel_command(context: click.Context, task: str) -> None:
    """Cancel what of TASK still waits in the queue. Nothing is charged."""
    cancelled = call(context, "POST", f"/relay/v1/tasks/{task}/cancel")
    click.echo(f"{cancelled['task_id']}: {cancelled['kind']} cancelled")


@tasks.command("prioritise")
@click.argument("task")
@click.argument("priority", type=click.IntRange(-9, 9))
@click.pass_context
def prioritise_command(context: click.Context, task: str, priority: int) -> None:
    """Give TASK, which waits in the queue, another PRIORITY: -9 to 9, higher goes first. Write negative ones after --.

    \b
    beatrelay tasks prioritise task_01... 5
    beatrelay tasks prioritise -- task_01... -5
    """
    moved = call(context, "POST", f"/relay/v1/tasks/{task}/priority", {"priority": priority})
    click.echo(f"{moved['task_id']}: priority {moved['priority']}")


def call(context: click.Context, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the running relay; a refusal ends the command with the relay's own words."""
    settings: Settings = context.obj
    key = settings.client_keys[0] if settings.client_keys else ""
    try:
        answer = httpx.request(
            method,
            settings.url + path,
            json=body,
            headers={"authorization": f"Bearer {key}"},
            timeout=60,
            trust_env=False,
        )
        document: dict[str, Any] = answer.json() if answer.content else {"data": None}
    except (httpx.HTTPError, ValueError) as error:
        raise click.ClickException(
            f"no relay answers at {settings.url}: {error}; is `beatrelay serve` running?"
        ) from error
    if not answer.is_success:
        raise click.ClickException(document["error"]["message"])
    return document["data"]
