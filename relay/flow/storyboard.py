"""A storyboard for people: its shots with what a change to each costs, and the changes themselves."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from relay.contract import TERMINAL, Shot, Task, rules
from relay.contract.pricing import Estimate
from relay.contract.rules import Violation
from relay.journal import Conflict, Journal, Operation, TaskRow

from .estimate import Prices
from .intake import Intake
from .operate import NotNow, allow

_AS_CREATED = ("quality", "resolution")


class StoryboardProblem(Exception):
    """The change cannot be made; the message says why, for people."""


class Card(Struct):
    """One shot."""

    id: str
    number: int
    """Its place in the storyboard, from 1."""
    status: str
    seconds: str
    prompt: str
    lyric: str
    file: str
    """``video`` or ``image`` once it has a file of its own; else empty: it gets one when it is asked for."""
    price: Estimate
    """What it costs to make it anew."""


class Board(Struct):
    """A storyboard, and what may be done with it."""

    task: TaskRow
    cards: list[Card]
    """In the storyboard's order."""
    closed: str
    """Why nothing may be changed now; empty: something may."""
    compose: Estimate

    def arranged(self, order: Sequence[str] | None) -> tuple[list[Card], list[Card]]:
        """The shots that are taken, in ``order`` (``None``: all, as they come), and those that are left out."""
        known = {card.id: card for card in self.cards}
        taken = list(known) if order is None else list(dict.fromkeys(one for one in order if one in known))
        return [known[one] for one in taken], [card for card in self.cards if card.id not in taken]


class Storyboards:
    """Shows storyboards and changes them. A change is accepted like a client's: written down, sent and paid for once.
    ``key`` makes a repeat of it harmless, ``by`` says whose it is in the task's history."""

    def __init__(self, journal: Journal, intake: Intake, prices: Prices) -> None:
        self._journal = journal
        self._intake = intake
        self._prices = prices

    async def board(self, task: TaskRow) -> Board | None:
        """``None``: the task has no storyboard (yet)."""
        shots = shots_of(task)
        if not shots:
            return None
        cards = [self._card(task, shot, number) for number, shot in enumerate(shots, 1)]
        price = self._prices.operation(task, "compose", "{}", "")
        return Board(task, cards, await self._closed(task), price)

    async def edit(self, task: TaskRow, shot_id: str, prompt: str, key: str, by: str) -> Operation:
        """Make one shot anew. Raises :class:`StoryboardProblem`."""
        shot = next((shot for shot in shots_of(task) if shot.id == shot_id), None)
        if shot is None:
            raise StoryboardProblem(f"There is no shot `{shot_id[:80]}` in this storyboard any more.")
        body = self._edit_body(task, shot, prompt.strip().replace("\r\n", "\n"))
        return await self._operate(task, "edit", body, rules.shot_edit(body), shot_id, key, by)

    async def compose(self, task: TaskRow, shot_ids: Sequence[str], key: str, by: str) -> Operation:
        """Cut the shots into the final video, in this order. Raises :class:`StoryboardProblem`."""
        known = {shot.id for shot in shots_of(task)}
        strange = [one for one in shot_ids if one not in known]
        if not shot_ids or strange:
            raise StoryboardProblem(
                "A video needs at least one shot."
                if not strange
                else f"There is no shot `{strange[0][:80]}` in this storyboard any more; look at it again."
            )
        body: dict[str, Any] = {"shot_ids": list(shot_ids)}
        return await self._operate(task, "compose", body, rules.compose(body), "", key, by)

    async def _operate(
        self,
        task: TaskRow,
        kind: Any,
        body: dict[str, Any],
        violations: list[Violation],
        target: str,
        key: str,
        by: str,
    ) -> Operation:
        if violations:
            raise StoryboardProblem("; ".join(f"The {one}" for one in violations) + ".")
        text = msgspec.json.encode(body).decode()
        try:
            operation = await self._intake.operate(task, kind, text, target=target, client_key=key, by=by)
        except (NotNow, Conflict) as error:
            raise StoryboardProblem(f"That is not possible now: {error}.") from error
        if (operation.task_id, operation.kind, operation.target) != (task.id, kind, target):
            raise StoryboardProblem("Something else was asked for from this page already; look at it again.")
        return operation

    def _edit_body(self, task: TaskRow, shot: Shot, prompt: str) -> dict[str, Any]:
        """A shot stays as long and as sharp as it was: in credits an edit has to say so, in dollars it inherits it."""
        if self._prices.unit == "usd":
            return {"prompt": prompt}
        created = msgspec.json.decode(task.request, type=dict[str, Any])
        body: dict[str, Any] = {"prompt": prompt}
        if shot.duration_seconds is not UNSET and shot.duration_seconds >= 1:
            body["duration"] = int(shot.duration_seconds)
        return body | {name: created[name] for name in _AS_CREATED if name in created}

    async def _closed(self, task: TaskRow) -> str:
        try:
            allow(task, "compose")
        except NotNow:
            if task.status in TERMINAL:
                return "The task has failed: there is nothing to compose."
            return f"It is {task.status.replace('_', ' ')}; its shots can be changed again when that is over."
        for operation in await self._journal.tasks.operations(task.id):
            if operation.state in ("queued", "sending"):
                return f"The {operation.kind} that was asked for is on its way to Beat API."
            if operation.state == "unconfirmed":
                return f"The {operation.kind} was sent, and no answer came: it has to be settled on the task's page."
        return ""

    def _card(self, task: TaskRow, shot: Shot, number: int) -> Card:
        body = msgspec.json.encode(self._edit_body(task, shot, "")).decode()
        return Card(
            id=shot.id,
            number=number,
            status=shot.status,
            seconds="" if shot.duration_seconds is UNSET else f"{shot.duration_seconds:f}",
            prompt="" if shot.prompt is UNSET else shot.prompt,
            lyric="" if shot.lyric_text is UNSET else shot.lyric_text,
            file="" if shot.media is UNSET else _kind(shot),
            price=self._prices.operation(task, "edit", body, shot.id),
        )


def shots_of(task: TaskRow) -> list[Shot]:
    """The shots, in order; none while there is no storyboard."""
    told = msgspec.json.decode(task.observed, type=Task) if task.observed else None
    if told is None or told.storyboard is UNSET:
        return []
    return sorted(told.storyboard.shots, key=lambda shot: shot.index)


def _kind(shot: Shot) -> str:
    return "image" if shot.media is not UNSET and shot.media.type == "image" else "video"
