"""The command ``beatrelay``."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from relay import __version__
from relay.commands.examples import teach
from relay.settings import Settings, SettingsError, load
from relay.settings_table import SETTINGS

CONFIG = Path("beatrelay.toml")


def _settings_help() -> str:
    lines = [f"  {setting.env}\n      {setting.help} Must be {setting.rule}." for setting in SETTINGS]
    return "\b\nSettings (environment, or beatrelay.toml):\n" + "\n".join(lines)


def read_settings(config: Path, **overrides: Any) -> Settings:
    """The settings, or a clear end with status 2."""
    try:
        return load(os.environ, config, **overrides)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="beatrelay")
def main() -> None:
    """A self-hosted relay between Beat API and the tools you already use.

    \b
    First steps:
      beatrelay demo       watch the whole line work, without any account
      beatrelay sandbox    a local Beat API to build against
      beatrelay serve      the relay itself
      beatrelay why TASK   one task's whole story
    """


@main.command(epilog=_settings_help())
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one (default 8787).")
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, show_default=True, help="Settings file.")
def serve(host: str | None, port: int | None, config: Path) -> None:
    """Run the relay.

    Opens onto the dashboard, whose link it prints. The Beat API key is given there, or in BEATAPI_API_KEY; the webhook
    is registered there, or its secret stands in BEATAPI_WEBHOOK_SECRET. Without a webhook, polling alone finds what is
    finished.
    """
    from relay.serve import run

    sys.exit(run(read_settings(config, host=host, port=port)))


@main.command()
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="Print the story as JSON.")
@click.option("--data", type=click.Path(path_type=Path), help="The relay's folder (default: BEATRELAY_DATA).")
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, show_default=True, help="Settings file.")
def why(task: str, as_json: bool, data: Path | None, config: Path) -> None:
    """Tell the whole story of TASK: one causal timeline, and what happens next.

    TASK is the relay's id or Beat API's. Works while the relay runs, and when it does not.
    """
    from relay.story import show

    sys.exit(asyncio.run(show(read_settings(config, data=data).data / "journal.db", task, machine=as_json)))


@main.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the file is not up to date.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("openapi/beatrelay.json"), show_default=True)
def openapi(check: bool, output: Path) -> None:
    """Write the OpenAPI document of the relay's whole contract."""
    from relay.app import openapi_text

    text = openapi_text()
    if not check:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(text)
        click.echo(f"wrote {output}")
    elif not output.exists() or output.read_bytes() != text:
        raise click.ClickException(f"{output} is out of date; run `beatrelay openapi` and commit it")
    else:
        click.echo(f"{output} is up to date")


def _add_commands() -> None:
    from relay.backup.command import backup, restore
    from relay.commands.batch import batch
    from relay.commands.config import config
    from relay.commands.connections import connections
    from relay.commands.dashboard import dashboard
    from relay.commands.deliveries import deliveries
    from relay.commands.keys import keys
    from relay.commands.recipes import recipes
    from relay.commands.sheets import sheets
    from relay.commands.tasks import tasks
    from relay.commands.vault import vault
    from relay.demo import demo
    from relay.sandbox.command import sandbox

    for command in (
        backup,
        batch,
        config,
        connections,
        dashboard,
        deliveries,
        demo,
        keys,
        recipes,
        restore,
        sandbox,
        sheets,
        tasks,
        vault,
    ):
        main.add_command(command)


_add_commands()
teach(main)

if __name__ == "__main__":
    main()
