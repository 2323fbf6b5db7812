"""What stands beside the rows of a watched sheet: ids, and what became of each; a cell that a person wrote into is
theirs."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from relay.contract import TERMINAL, Status
from relay.journal import Entry, RowTask, WatchedRow
from relay.settings import SheetSettings
from relay.sheets import SheetError
from relay.sheets.columns import RESULTS, ROW_ID
from relay.sheets.columns import plain as folded
from relay.sheets.results import Result, title_of
from relay.sheets.table import letters
from relay.sheets.watched import SeenRow, View, Write, plain

from .batches import result_of
from .watch_copies import copies_of

LONGEST = 5000
"""Characters of an error that are written into a cell."""
SHOWN = 200
"""Characters of what a person wrote that are kept in a history."""


def names(
    view: View,
    free: Iterable[SeenRow],
    owners: Mapping[str, SeenRow],
    known: Mapping[str, WatchedRow],
    nameless: Mapping[int, str],
    copied: Mapping[int, str],
    new_id: Callable[[], str],
) -> list[Write]:
    """An id for every row that has none of its own; its old one if that is known, or if its task tells which it was. A
    copy that says what became of it, but of no task of ours, is told of the one that it was copied from; one of a row
    that became no task is a new row, and says nothing of the first one any more."""
    lost = _lost(view, known, nameless)
    told = _told(view, known, copied)
    copies = copies_of(view, owners, known).keys() | told.keys()
    homeless = [*free, *(row for row in view.rows if row.number in copies)]
    given = {row.number: new_id() for row in homeless if owners.get(row.id) is not row}
    given |= {number: row.id for number, row in lost.items()}
    return [
        Write(
            number=row.number,
            id=row.id,
            inputs=row.inputs,
            cells={ROW_ID: given[row.number]} | told.get(row.number, {}),
        )
        for row in view.rows
        if row.number in given
    ]


def _told(view: View, known: Mapping[str, WatchedRow], copied: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """What is written into copies with their ids, by number."""
    told: dict[int, dict[str, Any]] = {}
    for row in view.rows:
        first, status = known.get(copied.get(row.number, "")), row.text("status")
        if first is None or not status or row.text("task_id"):
            continue
        if first.task_id:
            told[row.number] = {"task_id": first.task_id}
        elif row.plan is not None and status == first.written.get("status"):
            told[row.number] = {name: "" for name, text in first.written.items() if text and row.text(name) == text}
    return told


def owners_of(view: View, known: Mapping[str, WatchedRow]) -> dict[str, SeenRow]:
    """Which row of the sheet each id names."""
    written = {row.id for row in known.values() if row.written.get("status")}
    versions = {row.id: row.version for row in known.values()}
    return view.owners(versions, {row.id: row.task_id for row in known.values()}, written)


def doubted(
    view: View, known: Mapping[str, WatchedRow], nameless: Mapping[int, str], *, everything: bool
) -> list[WatchedRow]:
    """Rows whose status is empty, but not surely because a person emptied it: it is written again, and they are not
    asked for again. So are those that have just been found again; with ``everything``, all."""
    rows = _lost(view, known, nameless)
    if everything:
        rows |= {row.number: known[row.id] for row in view.rows if row.id in known and not row.text("status")}
    doubtful = [row for row in rows.values() if row.task_id is not None and row.done]
    for row in doubtful:
        row.done = False
    return doubtful


def said_by(row: WatchedRow) -> set[str]:
    """The texts of the cells that a row was asked for with, as far as they became part of the request as they were."""
    return set(_texts(msgspec.json.decode(row.request))) | set(_texts(msgspec.json.decode(row.facts)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(cast(dict[str, Any], value).values())
    if isinstance(value, list):
        for one in cast(list[Any], value):
            yield from _texts(one)
    elif value is not None:
        yield plain(value)


def _lost(view: View, known: Mapping[str, WatchedRow], nameless: Mapping[int, str]) -> dict[int, WatchedRow]:
    """Rows that have lost their id, by number: it is remembered, or their task, or what was written into them, tells
    which they are."""
    owned = owners_of(view, known)
    traces = {_trace(row.task_id, row.version, row.written): row for row in known.values() if row.id not in owned}
    found: dict[int, WatchedRow] = {}
    for row in view.rows:
        version = row.plan.fingerprint if row.plan else ""
        remembered = known.get(nameless.get(row.number, ""))
        old = remembered or traces.get(_trace(row.text("task_id"), version, {"status": row.text("status")}))
        if old is not None and owned.get(row.id) is not row and old not in found.values():
            found[row.number] = old
    return found


def _trace(task_id: str | None, version: str, written: Mapping[str, str]) -> tuple[str, ...]:
    return (task_id,) if task_id else (version, written.get("status", ""))


def arrived(view: View, known: Mapping[str, WatchedRow]) -> set[str]:
    """Note which of the values that were under way have arrived; gives their rows."""
    found: set[str] = set()
    for row in view.rows:
        kept = known.get(row.id)
        if kept is not None and kept.pending:
            there = {name: text for name, text in kept.pending.items() if row.text(name) == text}
            kept.written |= there
            kept.pending = {name: text for name, text in kept.pending.items() if name not in there}
            found.add(row.id)
    return found


def wanted(row: SeenRow, kept: WatchedRow, task: RowTask | None, url: str) -> dict[str, Any]:
    """What is to be written into a row; a cell that a person wrote into is theirs."""
    result, final = desired(kept, task, url)
    held: dict[str, str] = {}
    cells: dict[str, Any] = {}
    for name in RESULTS:
        now, want = row.text(name), plain(result[name])
        ours = (kept.written.get(name, ""), kept.pending.get(name, ""), want)
        if now not in ours and not (name == "status" and now == ""):
            held[name] = now
        elif now != want:
            cells[name] = result[name]
        else:
            kept.written[name] = want
    if cells:  # so that it can be told by its cells whose result it is
        cells |= {name: result[name] for name in ("status", "task_id") if result[name] and name not in held}
    kept.pending = {name: plain(value) for name, value in cells.items()}
    kept.held, kept.done = held, final and not cells
    return cells


def overwritten(row: SeenRow, kept: WatchedRow) -> dict[str, str]:
    """What people wrote over the results of a row whose task has ended."""
    texts = {name: row.text(name) for name in RESULTS}
    return {name: text for name, text in texts.items() if text and text != kept.written.get(name, "")}


def noted(kept: WatchedRow, before: Collection[str], now: float) -> list[Entry]:
    """Lines for the history of a row's task, about cells that are held from now on; ``before``: those that were."""
    if kept.task_id is None:
        return []
    return [
        Entry(
            task_id=kept.task_id,
            at=now,
            kind="sheet.held",
            data={"sheet": kept.sheet, "row_id": kept.id, "column": title_of(name), "text": text[:SHOWN]},
        )
        for name, text in kept.held.items()
        if name not in before
    ]


def refuse(view: View, settings: SheetSettings) -> None:
    """Raises :class:`SheetError` for a sheet that does not fit its settings."""
    if settings.ready and folded(settings.ready) not in map(folded, view.columns.facts.values()):
        there = ", ".join(repr(text.strip()) for text in view.columns.header.cells if text.strip())
        raise SheetError(
            f"there is no column {settings.ready!r}, which has to say that a row is ready; there is {there}"
        )
    end = re.sub(r"\d", "", settings.range.partition(":")[2])
    if view.missing and end and any(len(letters(at)) > len(end) or letters(at) > end for at in view.places.values()):
        named = ", ".join(title_of(name) for name in view.missing)
        raise SheetError(
            f"the range {settings.range} has no room for the columns {named}; widen it, or name them in its header"
        )


def desired(kept: WatchedRow, task: RowTask | None, url: str) -> tuple[dict[str, Any], bool]:
    """What should stand beside a row, and whether it is the last word. A webhook's word, and a video that is not yet in
    our store, are not shown as the end."""
    if task is None:
        return _plain(Result(status=kept.state, error=kept.error[:LONGEST])), True
    result = result_of(task, url)
    ended = task.status in TERMINAL
    if ended and (task.archiving or not task.confirmed):
        return _plain(Result(status=Status.PROCESSING, task_id=task.task_id)), False
    result.error = result.error[:LONGEST]
    return _plain(result), ended


def _plain(result: Result) -> dict[str, Any]:
    values = msgspec.structs.asdict(result)
    cost = result.credits
    values["credits"] = "" if cost is None else int(cost) if cost == int(cost) else float(cost)
    return values
