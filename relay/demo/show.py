"""What the demo shows: a table that lives while the work runs, or plain lines where there is no terminal."""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from .watch import Progress

_COLOURS = {"succeeded": "green", "failed": "red", "queued": "dim"}


class Show:
    """Live progress."""

    def __init__(self, console: Console, progress: list[Progress]) -> None:
        self._console = console
        self._progress = progress
        self._said: dict[str, str] = {}
        self._live = Live(table(progress), console=console, refresh_per_second=8) if console.is_terminal else None

    def __enter__(self) -> "Show":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._live:
            self._live.transient = True
            self._live.stop()

    def update(self) -> None:
        """Show how far it is."""
        if self._live:
            self._live.update(table(self._progress))
            return
        for one in self._progress:
            if self._said.get(one.task_id) != one.status:
                self._said[one.task_id] = one.status
                self._console.print(f"{one.seconds:5.1f} s  {one.title}: {one.status}", highlight=False)


def table(progress: list[Progress]) -> Table:
    """Task, status, how it was learnt, file, deliveries."""
    grid = Table(title="beatrelay demo: 30 % of the webhooks are dropped on purpose", title_justify="left")
    for name in ("song", "task", "status", "learnt by", "polls", "file", "delivered", "seconds"):
        grid.add_column(name, overflow="fold", no_wrap=name in ("task", "learnt by"))
    for one in progress:
        learnt = "poll (webhook dropped)" if one.learnt_by == "poll" else one.learnt_by
        grid.add_row(
            one.title,
            one.task_id,
            f"[{_COLOURS.get(one.status, 'yellow')}]{one.status}[/]",
            learnt,
            str(one.polls),
            one.archived or "",
            "signed POST" if one.caught == 1 else str(one.caught or ""),
            f"{one.seconds:.1f}",
        )
    return grid
