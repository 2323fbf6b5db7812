"""``beatrelay backup`` and ``beatrelay restore``."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from relay.commands.vault import lost_in
from relay.journal import JournalError
from relay.settings import Settings, SettingsError, load
from relay.vault import VaultError

from .files import Files
from .restore import PutBack, put_back
from .take import BackupError, Taken, take

LACKING = 3
"""The exit status when all was done but some files were lacking."""
_CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("beatrelay.toml"),
    show_default=True,
    help="Settings file.",
)
_DATA = click.option("--data", type=click.Path(path_type=Path), help="The relay's folder (default: BEATRELAY_DATA).")
FORGOTTEN = """\
What no copy can know, and only you can look after:
  - Requests that came since: a client, a no-code tool or a sheet that asks for the same once more pays once more.
  - API keys, people and links that were taken away since open the relay again: take them away again.
"""


class Progress:
    """Says on stderr how far it is, every few seconds; what is quick says nothing."""

    EVERY = 3.0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= self.EVERY:
            self._last = now
            click.echo(f"{what}: {size(done)} of {size(total)} ({done * 100 // max(total, 1)} %)", err=True)


@click.command()
@click.argument("destination", type=click.Path(path_type=Path), required=False, metavar="[DEST]")
@click.option("--no-media", is_flag=True, help="Leave the finished videos out.")
@click.option("--with-vault-key", is_flag=True, help="Copy the vault's key too: whoever has the copy has every secret.")
@_DATA
@_CONFIG
def backup(destination: Path | None, no_media: bool, with_vault_key: bool, data: Path | None, config: Path) -> None:
    """Copy the journal, the finished videos and the uploaded sheets into the new folder DEST, while the relay serves.

    DEST is by default a folder here that is named by the time. It appears when it is whole, on disk and looked through.
    Put it on another disk or machine, and back up by themselves: the vault's key, beatrelay.toml and the recipes.

    \b
    Status: 0  it is whole
            1  there is no copy; the message says why
            3  there is one, but videos are lacking in the relay's own store
    """
    settings = _settings(config, data)
    destination = destination or Path(f"beatrelay-backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    try:
        taken = take(settings, destination, Progress(), media=not no_media, key=with_vault_key)
    except (BackupError, JournalError, OSError) as error:
        raise click.ClickException(f"no copy was taken: {error}") from error
    click.echo(_taken(settings, destination, taken))
    _end(taken.media)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Also if there is a journal; it is kept under another name.")
@_DATA
@_CONFIG
def restore(source: Path, replace: bool, data: Path | None, config: Path) -> None:
    """Put the copy SOURCE back: a folder of `beatrelay backup`, or a journal file alone. The relay must be stopped.

    What the relay did after the copy was taken is not in it. So what was queued is not sent again but unconfirmed, for
    a person to settle; and what was to be delivered is a dead letter, to be replayed if it has not arrived.

    \b
    Status: 0  it is in place
            1  nothing was changed; the message says why
            3  it is in place, but videos are lacking
    """
    settings = _settings(config, data)
    try:
        done = put_back(settings, source, Progress(), replace=replace)
    except (BackupError, JournalError, OSError) as error:
        raise click.ClickException(f"nothing was restored: {error}") from error
    click.echo(_put_back(settings, done))
    _say_of_key(settings)
    _end(done.media)


def _say_of_key(settings: Settings) -> None:
    try:
        lost = asyncio.run(lost_in(settings))
    except VaultError as error:
        click.echo(f"The vault's key cannot be used: {error}", err=True)
        return
    if lost:
        where = "BEATRELAY_VAULT_KEY" if settings.vault_key else str(settings.vault_path)
        click.echo(
            f"{len(lost)} sealed values do not open with the keys in {where}: put the key of the copy's time there"
            " before the relay starts. `beatrelay vault lost` lists them",
            err=True,
        )


def _settings(config: Path, data: Path | None) -> Settings:
    try:
        return load(os.environ, config, data=data)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


def _end(media: Files | None) -> None:
    if media is not None and media.lacking:
        click.echo(f"{len(media.lacking)} videos are lacking, or are not what was stored:", err=True)
        for path in media.lacking[:20]:
            click.echo(f"  media/{path}", err=True)
        sys.exit(LACKING)


def _taken(settings: Settings, destination: Path, taken: Taken) -> str:
    media = taken.media
    key = "BEATRELAY_VAULT_KEY" if settings.vault_key else str(settings.vault_path)
    return "\n".join(
        [
            f"{destination}: the relay as it was at {moment(taken.taken_at)}",
            f"  journal  {size(taken.journal_bytes)}, looked through",
            f"  media    {_counted(media) if media is not None else 'left out'}",
            f"  sheets   {_counted(taken.sheets)}",
            f"The vault's key is in it: guard the copy as you would {key}."
            if taken.vault_key
            else f"Not in it: the vault's key ({key}). Without that key the stored secrets are lost; keep it apart.",
            "Not in it: beatrelay.toml and the recipes.",
        ]
    )


def _put_back(settings: Settings, done: PutBack) -> str:
    held, since = done.held, moment(done.restored.taken_at)
    lines = [
        f"{settings.data / 'journal.db'} is the copy of {since} now; {_counted(done.media)} of media",
        *([f"The journal that was there: {done.aside}"] if done.aside else []),
        f"Held, because it may have been paid for since: {held.operations} requests"
        f" ({held.unconfirmed} more were unconfirmed already)",
        "  beatrelay tasks list --unconfirmed, then beatrelay tasks settle TASK …",
        *([f"  {held.rows} rows of running batches join them when the relay starts"] if held.rows else []),
        f"Held, because it may have arrived since: {held.deliveries} deliveries",
        f'  beatrelay deliveries list --state dead --error "{done.restored.reason}"; replay what has not arrived,'
        " and dismiss the rest",
        f"  {held.open_tasks} tasks were not over; what they came to before now is held likewise",
    ]
    if done.key:
        lines.append(f"The vault's key came with the copy: {settings.vault_path}")
    return "\n".join(lines) + "\n" + FORGOTTEN.rstrip()


def _counted(files: Files) -> str:
    return f"{files.count} files, {size(files.bytes)}"


def moment(at: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size(number: int) -> str:
    """Bytes for people."""
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.{0 if unit == 'bytes' else 1}f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
