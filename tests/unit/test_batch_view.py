"""A batch in a terminal: one bar, and each row at work."""

import io

from rich.console import Console

from relay.batch_view import Progress


def shown(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(progress)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_bar_tells_of_the_batch_and_each_line_of_a_row() -> None:
    progress = Progress()
    summary = {"done": 120, "failed": 3, "open": 377, "seconds_left": 330.0}
    rows = [
        {"number": 124, "status": "processing", "row": {"title": "Rooftop Season"}},
        {"number": 125, "status": "requires_action", "row": {"row": 125, "sheet": "June"}},
    ]
    progress.update(summary, rows)
    told = shown(progress)
    assert "120 done, 3 failed, about 6 min left" in told or "about 5 min left" in told
    assert "123/500" in told
    assert "row 124  processing       Rooftop Season" in told
    assert "row 125  requires_action" in told
    progress.update({**summary, "open": 0, "seconds_left": 0.0}, [])
    assert "left" not in shown(progress)
