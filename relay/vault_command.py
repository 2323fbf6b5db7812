"""``beatrelay vault``: the keys that seal stored secrets."""

import asyncio
import os
from pathlib import Path

import click

from relay.journal import JournalError, SqliteJournal
from relay.settings import Settings, SettingsError, load
from relay.vault import Vault, VaultError, new_key, open_vault, read_keys, write_keys


@click.group()
def vault() -> None:
    """Make and rotate the keys that seal stored secrets."""


@vault.command("key")
def key_command() -> None:
    """Print a fresh key, for BEATRELAY_VAULT_KEY or the vault's file."""
    click.echo(new_key())


@vault.command("rotate")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
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


async def rotate(settings: Settings) -> tuple[int, Vault]:
    """Reseal all; how many there were, and the vault that opens them. Killed half way, it can be run again: a file
    loses its old keys only once nothing needs them."""
    journal = SqliteJournal.open(settings.data / "journal.db")
    try:
        if settings.vault_key:
            vault = open_vault(settings.vault_key, settings.vault_path)
            return await journal.sealed.reseal(vault.renew), vault
        file = settings.vault_path
        keys = [new_key(), *(read_keys(file) if file.exists() else [])]
        vault = Vault(keys, str(file))
        write_keys(file, keys)
        count = await journal.sealed.reseal(vault.renew)
        write_keys(file, keys[:1])
        return count, Vault(keys[:1], str(file))
    finally:
        await journal.close()
