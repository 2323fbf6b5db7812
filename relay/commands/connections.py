"""``beatrelay connections``: named credentials of the running relay. No secret ever stands in a command line, where
other users and the shell's history would see it."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from connectors import discover
from connectors.base import Connector
from relay.commands.remote import Api, api_of
from relay.flow.connection_kinds import all_keys, is_typed, secret_keys
from relay.recipe.errors import suggestion

_WAYS = "KEY=? asks for it, KEY=- reads standard input, KEY=env:NAME reads your environment"


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def connections(context: click.Context, url: str | None, config: Path) -> None:
    """List, store, try and remove connections: the named credentials that recipes use."""
    context.obj = api_of(url, config)


@connections.command("list")
@click.pass_obj
def list_command(api: Api) -> None:
    """List all connections, secrets masked."""
    for one in api.call("GET", "/relay/v1/connections")["data"]:
        keys = {**one["settings"], **one["secrets"]}
        shown = " ".join(f"{key}={value}" for key, value in sorted(keys.items()))
        click.echo(f"{one['name']}  {one['connector'] or '?'}  {one['source']}  {shown}")


@connections.command("add")
@click.argument("name")
@click.argument("connector")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.pass_obj
def add_command(api: Api, name: str, connector: str, settings: tuple[str, ...]) -> None:
    """Store connection NAME for CONNECTOR, or replace it.

    A secret is not given as a value: KEY=? asks for it, KEY=- reads standard input, KEY=env:NAME reads your
    environment.
    """
    kind = _kind(connector)
    body = {"connector": connector, "settings": _read(kind, settings)}
    api.call("PUT", f"/relay/v1/connections/{name}", json=body)
    click.echo(f"{name} is stored; try it: beatrelay connections test {name}")


@connections.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.pass_obj
def set_command(api: Api, name: str, settings: tuple[str, ...]) -> None:
    """Change some keys of NAME and keep the rest; `KEY=` with nothing behind it removes KEY."""
    known = api.call("GET", f"/relay/v1/connections/{name}")
    changes = {key: value or None for key, value in _read(_kind(known["connector"]), settings).items()}
    api.call("PATCH", f"/relay/v1/connections/{name}", json={"settings": changes})
    click.echo(f"{name} is changed")


@connections.command("test")
@click.argument("name")
@click.pass_obj
def test_command(api: Api, name: str) -> None:
    """Try NAME without any lasting effect, and say what it reaches."""
    tried = api.call("POST", f"/relay/v1/connections/{name}/test")
    if not tried["ok"]:
        raise click.ClickException(f"{name} does not work: {tried['message']}")
    click.echo(f"{name} works: {tried['message']}")


@connections.command("remove")
@click.argument("name")
@click.confirmation_option(prompt="Deliveries that need it will wait. Remove it?")
@click.pass_obj
def remove_command(api: Api, name: str) -> None:
    """Forget NAME and its secrets."""
    api.call("DELETE", f"/relay/v1/connections/{name}")
    click.echo(f"{name} is removed")


def _kind(name: str | None) -> Connector:
    found = discover()[0]
    if name not in found:
        raise click.ClickException(f"there is no connector {name!r}; {suggestion(name or '', found)}")
    return found[name]


def _read(kind: Connector, given: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` words as a mapping, secrets fetched from where they are."""
    settings: dict[str, str] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals:
            raise click.UsageError(f"{key!r} needs a value: {key}=…, or for a secret: {_WAYS}")
        if is_typed(kind) and key not in all_keys(kind):
            raise click.UsageError(f"{kind.name} connections have no {key!r}; {suggestion(key, all_keys(kind))}")
        secret = not is_typed(kind) or key in secret_keys(kind)
        settings[key] = _value(key, value, secret=secret)
    return settings


def _value(key: str, value: str, *, secret: bool) -> str:
    if value == "?":
        answer: Any = click.prompt(key, hide_input=secret, type=str)
        return str(answer)
    if value == "-":
        return sys.stdin.read().strip()
    if value.startswith("env:"):
        if value[4:] not in os.environ:
            raise click.UsageError(f"{key} is {value!r}, but {value[4:]} is not set")
        return os.environ[value[4:]]
    if secret and value:
        raise click.UsageError(f"{key!r} is a secret, and a command line can be seen by others: {_WAYS}")
    return value
