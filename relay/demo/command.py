"""``beatrelay demo``: three songs in, three videos out, with three webhooks in ten dropped on purpose."""

import asyncio
import sys
from http import HTTPStatus
from pathlib import Path

import click
import httpx
from rich.console import Console

from .catch import Catch
from .show import Show, table
from .songs import Song, read_songs
from .stage import Stage, StageError
from .watch import Progress, check, watch

WIDTH = 132
"""Columns where there is no terminal to ask."""
PATIENCE = 55.0
"""Seconds after which what has not arrived counts as lost."""


@click.command()
@click.option("--once", is_flag=True, help="Leave when all is done: status 0 only if nothing was lost.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("beatrelay-data"),
    show_default=True,
    help="Where the journal and the videos go.",
)
@click.option("--songs", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Another songs.csv.")
def demo(once: bool, data: Path, songs: Path | None) -> None:
    """Watch the whole line work, without any account.

    Starts a local Beat API (the sandbox), the relay and a small server that catches deliveries; asks for one
    video per song in recipes/examples/songs.csv; drops 30 % of the webhooks on purpose, so that polling has to
    save the day; archives the videos and delivers a signed POST for each. Then it stays up until Ctrl-C.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    try:
        status = asyncio.run(_run(console, once=once, data=data, songs=songs))
    except StageError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


async def _run(console: Console, *, once: bool, data: Path, songs: Path | None) -> int:
    async with Catch.serving(console.print) as catch, Stage.running(data, catch, console.print) as stage:
        wanted = read_songs(songs)
        async with httpx.AsyncClient(base_url=stage.relay_url, headers=stage.auth, trust_env=False) as client:
            progress = [await _ask(client, song) for song in wanted]
            with Show(console, progress) as show:
                await watch(client, catch, progress, PATIENCE, show.update)
            done = await check(client, catch, progress, data / "media")
            invitation = await client.post("/relay/v1/invitations", json={"role": "admin"})
        console.print(table(done))
        _addresses(console, stage, invitation.raise_for_status().json()["data"]["url"])
        line, lost = _verdict(done)
        if once:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            return 1 if lost else 0
        console.print(f"\n{line}\n\nAll of it stays up; press Ctrl-C to end.")
        await stage.until_ended()
    return 1 if lost else 0


async def _ask(client: httpx.AsyncClient, song: Song) -> Progress:
    answer = await client.post("/v1/music-video/tasks", json=song.request, headers={"x-beatrelay-row": song.row})
    if answer.status_code != HTTPStatus.CREATED:
        raise StageError(f"the relay refused {song.title!r}: {answer.text}")
    return Progress(song.title, answer.json()["data"]["id"])


def _addresses(console: Console, stage: Stage, dashboard: str) -> None:
    console.print(f"\n  dashboard  {dashboard}", soft_wrap=True)
    console.print(f"  API docs   {stage.relay_url}/docs")
    console.print(f"  sandbox    {stage.sandbox_url}/v1/workflows")
    console.print(f"  videos     {stage.data / 'media'}/<task>/")
    console.print(f"  one story  beatrelay why TASK --data {stage.data}\n")


def _verdict(done: list[Progress]) -> tuple[str, int]:
    succeeded = sum(one.status == "succeeded" for one in done)
    archived = sum(one.archived is not None for one in done)
    delivered = sum(one.caught == 1 for one in done)
    lost = sum(not one.complete for one in done)
    return f"demo: {succeeded} succeeded, {archived} archived, {delivered} delivered, {lost} lost", lost
