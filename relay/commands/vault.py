"""``beatrelay vault``: the keys that seal stored secrets."""

import asyncio
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path

import click

from relay.journal import Journal, JournalError, SqliteJournal
from relay.settings import Settings, SettingsError, load
from relay.vault import Vault, VaultError, keys_at_hand, new_key, open_vault, read_keys, write_keys

_CONFIG = click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
KINDS = {
    "connections": "connection {}: its secrets",
    "endpoints": "endpoint {}: the secret that signs what it is sent",
    "secrets": "the relay's own {}",
}
"""How the places of sealed values are called. Connectors' notes are many, and are counted."""


@click.group()
def vault() -> None:
    """Make and rotate the keys that seal stored secrets; say what a lost one leaves shut."""


@vault.command("key")
def key_command() -> None:
    """Print a fresh key, for BEATRELAY_VAULT_KEY or the vault's file."""
    click.echo(new_key())


@vault.command("rotate")
@_CONFIG
def rotate_command(config: Path) -> None:
    """Seal every stored secret with a new key. The relay must be stopped.

    With keys in a file: a new one is made, everything is sealed with it, and the old ones are removed from the file.
    With keys in BEATRELAY_VAULT_KEY: put the new one first and keep the old one until this has run.
    """
    try:
        settings = load(os.environ, config)
        count, vault = asyncio.run(rotate(settings))
    except (SettingsError, JournalError, VaultError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{count} stored secrets are sealed with key {vault.key_ids[0]}")
    if settings.vault_key and len(settings.vault_key) > 1:
        click.echo("BEATRELAY_VAULT_KEY needs its first key only from now on")


@vault.command("lost")
@click.option("--forget", is_flag=True, help="Forget them; the relay must be stopped.")
@click.option("--yes", is_flag=True, help="Do not ask before forgetting.")
@_CONFIG
def lost_command(forget: bool, yes: bool, config: Path) -> None:
    """List the stored secrets that no key opens which the relay has; --forget makes it start without them.

    Forgotten, a connection says that it needs its secrets again, an endpoint that it needs a new one, and the
    dashboard's checklist asks for the Beat API key and the webhook again. Links to storyboards that were sent out open
    nothing more. A delivery under way that has left notes may have arrived: it becomes a dead letter.

    \b
    Status: 0  everything opens, or was forgotten
            1  something is lost
    """
    try:
        settings = load(os.environ, config)
        lost = asyncio.run(lost_in(settings))
        click.echo(_listed(lost, settings))
        if lost and not forget:
            sys.exit(1)
        if lost:
            if not yes:
                click.confirm(
                    "Forget them? If the key may still be found, keep a copy of the journal first", abort=True
                )
            held = asyncio.run(forget_lost(settings))
            click.echo(f"forgotten; {held} deliveries under way became dead letters. The relay starts again")
    except (SettingsError, JournalError, VaultError) as error:
        raise click.ClickException(str(error)) from error


async def lost_in(settings: Settings) -> list[str]:
    """The places of what no key opens, in the journal of ``settings``; a relay may serve on it."""
    journal = SqliteJournal.inspect(settings.data / "journal.db")
    try:
        return await _shut(journal, settings)
    finally:
        await journal.close()


async def forget_lost(settings: Settings) -> int:
    """Forget what no key opens; how many deliveries were held for it."""
    journal = SqliteJournal.open(settings.data / "journal.db")
    try:
        return await journal.sealed.forget(await _shut(journal, settings), time.time())
    finally:
        await journal.close()


async def _shut(journal: Journal, settings: Settings) -> list[str]:
    vault = keys_at_hand(settings.vault_key, settings.vault_path)
    return sorted(place for value, place in await journal.sealed.all() if not vault.opens(value, place))


def _listed(places: Collection[str], settings: Settings) -> str:
    where = "BEATRELAY_VAULT_KEY" if settings.vault_key else str(settings.vault_path)
    if not places:
        return f"everything that is sealed opens with the keys in {where}"
    named = [place.partition("/") for place in places]
    lines = [KINDS[table].format(key) for table, _, key in named if table in KINDS]
    notes = sum(table not in KINDS for table, _, _ in named)
    lines += [f"{notes} notes of connectors on what they have delivered"] if notes else []
    return "\n".join([f"no key in {where} opens:", *(f"  {line}" for line in lines)])


async def rotate(settings: Settings) -> tuple[int, Vault]:
    """Reseal all; how many there were, and the vault that opens them. Killed half way, it can be run again: a file
    loses its old keys only once nothing needs them."""
    journal = SqliteJournal.open(settings.data / "journal.db")
    try:
        if settings.vault_key:
            vault = open_vault(settings.vault_key, settings.vault_path)
            return await journal.sealed.reseal(vault.renew), vault
        file = settings.vault_path
        if journal.sealed.at_start and not file.exists():
            open_vault([], file, make=False)
        keys = [new_key(), *(read_keys(file) if file.exists() else [])]
        vault = Vault(keys, str(file))
        write_keys(file, keys)
        count = await journal.sealed.reseal(vault.renew)
        write_keys(file, keys[:1])
        return count, Vault(keys[:1], str(file))
    finally:
        await journal.close()
