"""``beatrelay why``: a task's story on the terminal."""

import json
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay.flow.why import Moment, Story, as_json, tell
from relay.journal import JournalError, SqliteJournal
from relay.log import redact

_COLOURS = {
    "task.finished": "bold green",
    "task.confirmed": "green",
    "task.contradicted": "bold red",
    "poll.failed": "yellow",
    "operation.postponed": "yellow",
    "operation.unconfirmed": "bold red",
    "queue.paused": "yellow",
    "delivery.done": "green",
    "delivery.failed": "yellow",
    "delivery.dead": "bold red",
    "delivery.held": "bold red",
    "webhook.received": "cyan",
}


async def show(path: Path, task_id: str, *, machine: bool) -> int:
    """Print the story of ``task_id`` from the journal at ``path``; returns the exit status."""
    try:
        journal = SqliteJournal.inspect(path)
    except JournalError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        story = await tell(journal, task_id)
    finally:
        await journal.close()
    if story is None:
        sys.stderr.write(f"{path} knows no task {task_id}; `GET /relay/v1/tasks` lists those it does\n")
        return 1
    if machine:
        sys.stdout.write(as_json(story).decode() + "\n")
    else:
        render(story, Console())
    return 0


def render(story: Story, console: Console) -> None:
    """The story as a table: when, how long after the start, what."""
    task = story.task
    told = f"told by {story.told_by or 'nobody yet'}{'' if story.confirmed else ', not confirmed yet'}"
    console.print(f"[bold]{task['id']}[/]  {task.get('workflow', '')}  [bold]{task['status']}[/]  ({told})")
    console.print(f"at the provider: {story.provider_id or 'not yet'}   polls: {story.polls}\n", style="dim")
    start = story.moments[0].at if story.moments else 0.0
    console.print(_table(story.moments, start))
    if story.next:
        console.print("\n[bold]Next[/]")
        console.print(_table(story.next, time.time()))
    else:
        console.print("\nNothing is left to do.", style="dim")


def _table(moments: list[Moment], start: float) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="dim", justify="right")
    table.add_column(overflow="fold")
    for moment in moments:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment.at))
        text = Text(redact(moment.text), style=_COLOURS.get(moment.kind, ""))
        table.add_row(at, f"{moment.at - start:+.2f} s", text)
        for name in ("request", "detail", "next_at"):
            if moment.data.get(name):
                table.add_row("", "", Text(f"  {name}: {_plain(name, moment.data[name])}", style="dim"))
    return table


def _plain(name: str, value: object) -> str:
    if name == "next_at" and isinstance(value, float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
    text = redact(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 300 else text[:297] + "…"
