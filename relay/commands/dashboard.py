"""``beatrelay dashboard``: a way into the dashboard, for the first person and for those who forgot their password."""

import asyncio
from pathlib import Path
from typing import cast

import click

from relay.clock import SystemClock
from relay.commands.remote import Api, settings_of
from relay.flow.keys import Keys
from relay.flow.people import LINK_HOURS, ROLES, People, Role
from relay.journal import InUse, JournalError, SqliteJournal
from relay.settings import Settings


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def dashboard(context: click.Context, url: str | None, config: Path) -> None:
    """Let people into the dashboard."""
    context.obj = settings_of(url, config)


@dashboard.command("link")
@click.option("--role", type=click.Choice(ROLES), default="admin", show_default=True)
@click.pass_context
def link(context: click.Context, role: str) -> None:
    """Print a link that lets one person in, once, to choose a name and a password.

    \b
    viewer    looks
    operator  also starts, replays and settles work
    admin     also changes connections, recipes, keys and people

    With the role admin and the name of a user, it gives that user a new password.
    """
    settings: Settings = context.obj
    try:
        address = asyncio.run(_make(settings, cast("Role", role)))
    except InUse:  # a relay runs here: it makes the link itself
        address = Api(settings).call("POST", "/relay/v1/invitations", json={"role": role})["url"]
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Open it within {LINK_HOURS} hours; it works once:", err=True)
    click.echo(address)


async def _make(settings: Settings, role: Role) -> str:
    journal = SqliteJournal.open(settings.data / "journal.db")
    try:
        clock = SystemClock()
        return await People(journal, clock, Keys(journal, clock), settings.url).invite(role)
    finally:
        await journal.close()
