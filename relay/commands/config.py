"""``beatrelay config``: whether the settings can be followed, before anything starts."""

import os
from pathlib import Path

import click

from relay.flow.watches import wrong_sheets
from relay.settings import SettingsError, load


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command("check")
@click.option("--config", "file", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def check_command(file: Path) -> None:
    """Say everything that is wrong with the environment and beatrelay.toml; nothing is started, and nobody is asked."""
    try:
        settings = load(os.environ, file)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error
    wrong = wrong_sheets(settings.sheets)
    if wrong:
        raise click.ClickException("the settings are wrong:\n" + "\n".join(wrong))
    sheets = ", ".join(sorted(settings.sheets)) or "none"
    click.echo(f"the settings are fine; connections in the file: {len(settings.connections)}; sheets watched: {sheets}")
