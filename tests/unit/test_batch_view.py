"""A batch in a terminal: one bar, and each row at work."""

import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from relay.commands.batch_view import Progress, show_failures, show_left_alone, show_plan

ODD = "Intro [/bonus] [live]"
"""A title that a terminal's markup would stumble over, or swallow."""


def written(write: Callable[[Console], None]) -> str:
    console = Console(file=io.StringIO(), width=160)
    write(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def shown(progress: Progress) -> str:
    return written(lambda console: console.print(progress))


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


def row(number: int, state: str, title: str, **more: Any) -> dict[str, Any]:
    blank = {"problems": [], "request": {}, "price": None, "task_id": None, "twin_of": None, "hidden": False}
    return {"number": number, "state": state, "facts": {"title": title}, **blank, **more}


def plan(*rows: dict[str, Any]) -> dict[str, Any]:
    columns = {"Song [/x]": "audio_url"}
    return {
        "name": "june [2].csv",
        "sheet": "[a]",
        "columns": columns,
        "rows": rows,
        "counts": {},
        "quote": {"items": 0, "unit": ""},
    }


def test_what_stands_in_a_sheet_is_shown_as_it_stands_there() -> None:
    problem = {
        "cell": "A2",
        "column": "Song",
        "value": "[song](https://x)",
        "rule": "must be a link",
        "fix": "give one",
    }
    invalid, new = row(2, "invalid", ODD, problems=[problem]), row(3, "new", ODD)
    told = written(lambda console: show_plan(console, plan(invalid, new), [new]))
    for text in ("june [2].csv  [a]", "Song [/x] → audio_url", "'[song](https://x)'", ODD):
        assert text in told
    failed = {"number": 3, "row": {"title": ODD}, "error": "bad_input: no [image] [/0]", "task_id": "task_1"}
    told = written(lambda console: show_failures(console, [failed], 1))
    assert ODD in told
    assert "no [image] [/0]" in told
    progress = Progress()
    at_work = [{"number": 3, "status": "processing", "row": {"title": ODD}}]
    progress.update({"done": 0, "failed": 0, "open": 1, "seconds_left": None}, at_work)
    assert ODD in shown(progress)


def test_rows_that_are_left_alone_are_told_one_by_one_and_why() -> None:
    changed, asked = row(2, "changed", "Slow River"), row(3, "changed", "Last Stop")
    rows = (row(1, "known", "Rooftop", task_id="task_1"), changed, asked, row(4, "twin", "Copy", twin_of=1))
    lines = written(lambda console: show_left_alone(console, plan(*rows), [asked])).splitlines()
    told = [" ".join(line.strip("│ ").split()) for line in lines if line.startswith("│")]
    assert told == [
        "2 │ changed │ Slow River",
        "4 │ the same as │ Copy │ row 1",
        "1 │ asked before │ Rooftop │ task_1",
    ]
    assert written(lambda console: show_left_alone(console, plan(asked), [asked])) == ""


def test_rows_that_are_hidden_in_the_sheet_are_marked_and_counted_before_the_price() -> None:
    seen, hidden, left = row(2, "new", "Seen"), row(3, "new", "Unseen", hidden=True), row(4, "known", "", hidden=True)
    told = written(lambda console: show_plan(console, plan(seen, hidden, left), [seen, hidden]))
    assert [" ".join(line.split()) for line in told.splitlines() if "hidden" in line] == [
        "│ 3 │ new, hidden │ Unseen │ by the song │ │",
        "1 hidden in the sheet, by hand or by a filter: asked for as all others",
    ]


def test_the_price_stands_against_the_balance_with_the_time_it_takes() -> None:
    quote = {
        "items": 3,
        "unit": "credits",
        "least": 150,
        "most": 2700,
        "unknown": 1,
        "balance": 900,
        "enough": "perhaps",
    }
    quote |= {"seconds": 720.0, "concurrency": 5}
    told = " ".join(written(lambda console: show_plan(console, {**plan(), "quote": quote}, [])).split())
    assert "Price: 150 to 2700 credits (and 1 rows that the rate table does not know)" in told
    assert "; balance: 900, which may not be enough. About 12 min at 5 at a time." in told
