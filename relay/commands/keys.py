"""``beatrelay keys``: who may use the relay. Works on the running relay over its API, and on the journal itself when
none runs."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from relay.clock import SystemClock
from relay.commands.remote import Api, settings_of
from relay.flow.keys import SCOPES, KeyProblem, Keys, Scope
from relay.journal import InUse, JournalError, KeyRow, SqliteJournal
from relay.settings import Settings

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


@click.group()
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
@click.pass_context
def keys(context: click.Context, url: str | None, config: Path) -> None:
    """Make, list and revoke API keys (brk_…).

    Asks the relay that runs; when none does, works on its journal (BEATRELAY_DATA).
    """
    context.obj = settings_of(url, config)
    context.meta["remote"] = url is not None


@keys.command("create")
@click.argument("name")
@click.option("--scopes", default="submit,read", show_default=True, help=f"Some of {', '.join(SCOPES)}; by commas.")
@click.option("--per-minute", type=click.IntRange(1), help="Most requests a minute (default: no limit).")
@click.option("--share", type=click.IntRange(1), help="Most of its tasks that may run at once (default: no limit).")
@click.option("--expires", metavar="TIME", help="When it ends: 12h, 30d, 8w (default: never).")
@click.pass_context
def create(
    context: click.Context, name: str, scopes: str, per_minute: int | None, share: int | None, expires: str | None
) -> None:
    """Make a key for NAME and print it. It is shown this once.

    \b
    submit   create and change tasks, files and webhooks
    read     look at its own tasks, events and webhooks
    operate  see and steer everybody's work
    admin    all of it, and keys
    """
    wanted = cast("list[Scope]", scopes.replace(",", " ").split())
    ends = _expiry(expires)
    limits: dict[str, Any] = {"per_minute": per_minute, "share": share, "expires_at": ends}

    async def on_journal(known: Keys) -> tuple[str, str]:
        row, token = await known.create(name, wanted, **limits)
        return row.id, token

    def over_api() -> tuple[str, str]:
        made = Api(context.obj).call("POST", "/relay/v1/keys", json={"name": name, "scopes": wanted, **limits})
        return made["id"], made["key"]

    key_id, token = _either(context, on_journal, over_api)
    click.echo(f"{key_id}  {name}  {' '.join(wanted)}", err=True)
    click.echo("Keep it now; it is not shown again:", err=True)
    click.echo(token)


@keys.command("list")
@click.pass_context
def list_command(context: click.Context) -> None:
    """List every key, the oldest first."""

    async def on_journal(known: Keys) -> list[KeyRow]:
        return await known.all()

    def over_api() -> list[KeyRow]:
        found = Api(context.obj).call("GET", "/relay/v1/keys")["data"]
        return [msgspec.convert({**one, "scopes": " ".join(one["scopes"]), "digest": ""}, KeyRow) for one in found]

    for row in _either(context, on_journal, over_api):
        click.echo(_line(row, time.time()))


@keys.command("revoke")
@click.argument("key")
@click.pass_context
def revoke(context: click.Context, key: str) -> None:
    """End KEY (its id, as `beatrelay keys list` shows it) at once. Its tasks go on."""

    async def on_journal(known: Keys) -> str:
        row = await known.revoke(key)
        if row is None:
            raise click.ClickException(f"there is no key {key}; `beatrelay keys list` shows them")
        return row.name

    def over_api() -> str:
        return Api(context.obj).call("DELETE", f"/relay/v1/keys/{key}")["name"]

    click.echo(f"{key} ({_either(context, on_journal, over_api)}) is revoked")


def _either(context: click.Context, on_journal: Callable[[Keys], Awaitable[Any]], over_api: Callable[[], Any]) -> Any:
    """The journal's lock tells whether a relay runs here: if it does, ask it."""
    if context.meta["remote"]:
        return over_api()
    settings: Settings = context.obj
    try:
        return asyncio.run(_on(settings.data / "journal.db", on_journal))
    except InUse:
        return over_api()
    except (JournalError, KeyProblem) as error:
        raise click.ClickException(str(error)) from error


async def _on(path: Path, work: Callable[[Keys], Awaitable[Any]]) -> Any:
    journal = SqliteJournal.open(path)
    try:
        return await work(Keys(journal, SystemClock()))
    finally:
        await journal.close()


def _expiry(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match is None or int(match.group(1)) == 0:
        raise click.UsageError(f"--expires is {text!r}; it must be a number and m, h, d or w, such as 30d")
    return time.time() + int(match.group(1)) * _UNITS[match.group(2)]


def _line(row: KeyRow, now: float) -> str:
    limits = [f"{row.per_minute}/min"] if row.per_minute else []
    limits += [f"{row.share} at once"] if row.share else []
    if row.revoked_at is not None:
        state = f"revoked {_day(row.revoked_at)}"
    elif not row.usable(now):
        state = f"expired {_day(row.expires_at)}"
    else:
        state = f"ends {_day(row.expires_at)}" if row.expires_at else "active"
    used = f"used {_day(row.last_used_at)}" if row.last_used_at else "never used"
    return "  ".join([row.id, f"{row.hint}…", row.name, row.scopes.replace(" ", ","), *limits, state, used])


def _day(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
