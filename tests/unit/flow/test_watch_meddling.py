"""People edit at every moment, also between our reading and our writing: whatever the seed brings, no row is asked for
twice, no result stays in another row, and what people wrote is kept."""

import asyncio
import json
import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.fakes.google_wire import Call
from tests.watched import Desk, song

pytestmark = pytest.mark.anyio

SEEDS = int(os.environ.get("WATCH_SEEDS", "200"))
STORM, CALM = 12, 8
"""Turns with people at work, and then without, in which everything must come to its end."""


class People:
    """Everybody who has the sheet open, and what they expect to find in it."""

    def __init__(self, desk: Desk, chance: random.Random) -> None:
        self.desk, self.chance = desk, chance
        self.songs = 0
        self.inputs: dict[str, list[Any]] = {}
        """What stands in the inputs of each row, by its title."""
        self.typed: dict[tuple[str, str], str] = {}
        """What they wrote over our cells, by title and heading."""
        self.unseen: dict[tuple[str, str], str] = {}
        """What they had written in a row that they copied while something of ours lay over it."""
        self.copies: set[str] = set()
        """Titles of all copies ever; one that was deleted may come back."""
        self.copied: list[str] = []
        """Titles of rows that were copied, and still ask for what the first one did."""
        self.renewed: list[str] = []
        """Titles of copies that were made into another song."""
        self.undone: list[Callable[[], None]] = []
        """What takes a deletion back."""
        self.busy = True

    def meddle(self, call: Call) -> None:
        """Before any call arrives; our own cells they touch only before we read: Google has no write that compares
        first."""
        if not self.busy or self.chance.random() > 0.4:
            return
        anywhere: list[Callable[[], None]] = [
            *(self.insert, self.insert, self.blank, self.delete, self.sort, self.swap, self.edit),
            *(self.paste, self.undo, self.copy),
        ]
        reading = call.operation == "spreadsheets.values.get"
        ours = [self.type, self.type, self.unname, self.renew]
        self.chance.choice([*anywhere, *ours] if reading else anywhere)()

    def add(self, title: str = "") -> list[Any]:
        self.songs += 1
        row = song(self.songs, "round" if self.chance.random() < 0.15 else "1:1")
        row[0] = title or row[0]
        self.inputs[row[0]] = list(row)
        return row

    def insert(self) -> None:
        if self.songs < 12:
            self.rows.insert(self.place(), self.add())

    def blank(self) -> None:
        self.rows.insert(self.place(), [])

    def delete(self) -> None:
        if len(self.rows) > 2 and self.chance.random() < 0.5:
            at = self.place(last=False)
            gone = self.rows.pop(at)
            title = str(gone[0]) if gone else ""
            typed = {place: text for place, text in self.typed.items() if place[0] == title}
            self.typed = {place: text for place, text in self.typed.items() if place[0] != title}
            self.undone.append(partial(self.restore, at, gone, title, self.inputs.pop(title, None), typed))

    def restore(
        self, at: int, gone: list[Any], title: str, inputs: list[Any] | None, typed: dict[tuple[str, str], str]
    ) -> None:
        self.rows.insert(min(at, len(self.rows)), gone)
        if inputs is not None:
            self.inputs[title] = inputs
        self.typed |= typed

    def undo(self) -> None:
        if self.undone:
            self.undone.pop()()

    def paste(self) -> None:
        """Several songs at once, into the first rows that are empty, or below all."""
        at = next((at for at, row in enumerate(self.rows) if not any(row[:4])), len(self.rows))
        for place in range(at, at + 3):
            if self.songs < 12 and not (place < len(self.rows) and any(self.rows[place][:4])):
                self.rows.extend([] for _ in range(place + 1 - len(self.rows)))
                self.rows[place][:4] = self.add()

    def copy(self) -> None:
        """A whole finished row, with what is ours in it; only its title is another."""
        title = self.some()
        if title and len(self.copied) < 3 and self.finished(title) and not self.waiting(title):
            name = f"{title} again"
            if name not in self.copies:
                self.copies.add(name)
                self.rows.insert(self.place(), [name, *self.desk.row(title)[1:]])
                self.inputs[name] = [name, *self.inputs[title][1:]]
                for (_, heading), text in [typed for typed in self.typed.items() if typed[0][0] == title]:
                    seen = self.desk.cell(title, heading) == text
                    (self.typed if seen else self.unseen)[name, heading] = text
                self.copied.append(name)

    def finished(self, title: str) -> bool:
        return "Status" in self.rows[0] and self.desk.cell(title, "Status") == "succeeded"

    def renew(self) -> None:
        """Make another song of a copy, and ask for it by an empty status. It comes back if it was emptied while we were
        taking something back ourselves: nobody can tell then who emptied it, and a charge is worse."""
        title = self.chance.choice(self.copied) if self.copied else ""
        if title in self.inputs and self.finished(title):
            self.copied.remove(title)
            self.inputs[title][1:] = self.add(title)[1:]
            self.desk.row(title)[1:4] = self.inputs[title][1:]
            self.desk.put(title, "Status", "")
            self.renewed.append(title)

    def insist(self) -> None:
        """Empty it once more, in peace, where it came back."""
        for title in self.renewed:
            if title in self.inputs and self.waiting(title) and self.finished(title):
                self.desk.put(title, "Status", "")

    def waiting(self, title: str) -> bool:
        """Whether a copy was made into another song, and that was not asked for yet."""
        asked = {json.loads(task["request"])["audio_url"] for task in self.desk.tasks()}
        return title in self.renewed and self.inputs[title][1] not in asked

    def sort(self) -> None:
        column = self.chance.randrange(len(self.rows[0]))
        self.rows[1:] = sorted(self.rows[1:], key=lambda row: str(row[column]) if column < len(row) else "~")
        if self.chance.random() < 0.5:
            self.rows[1:] = self.rows[:0:-1]

    def swap(self) -> None:
        if len(self.rows) > 2:
            one, other = self.place(last=False), self.place(last=False)
            self.rows[one], self.rows[other] = self.rows[other], self.rows[one]

    def edit(self) -> None:
        """An input of a row; those of which a task was made stay what they were asked for."""
        title = self.some()
        if title:
            shape = self.chance.choice(["1:1", "9:16", "round"])
            self.inputs[title][3] = shape
            self.desk.put(title, "Format", shape)

    def type(self) -> None:
        title, heading = self.some(), self.chance.choice(["Status", "Error", "Video URL"])
        if title and heading in self.rows[0] and (title, heading) not in self.typed:
            self.typed[title, heading] = f"mine {self.chance.random()}"
            self.desk.put(title, heading, self.typed[title, heading])

    def unname(self) -> None:
        title = self.some()
        if title and "beatrelay_id" in self.rows[0] and self.desk.cell(title, "Task ID"):
            self.desk.put(title, "beatrelay_id", "")

    def some(self) -> str:
        return self.chance.choice(sorted(self.inputs)) if self.inputs else ""

    def place(self, *, last: bool = True) -> int:
        return self.chance.randint(1, len(self.rows) - (0 if last else 1))

    @property
    def rows(self) -> list[list[Any]]:
        return self.desk.rows


def check(people: People, seed: int) -> None:
    desk = people.desk
    tasks = {task["id"]: json.loads(task["request"])["audio_url"] for task in desk.tasks()}
    assert len(set(tasks.values())) == len(tasks), f"seed {seed}: a song was asked for twice"
    titles = [row[0] for row in people.rows[1:] if row and row[0]]
    assert sorted(titles) == sorted(people.inputs), f"seed {seed}"
    for row in people.rows[1:]:
        if not (row and row[0]):
            assert not any(row), f"seed {seed}: {row} is left in an empty row"
    put_back = {place for place, text in people.unseen.items() if place[0] in titles and desk.cell(*place) == text}
    people.typed |= {place: people.unseen[place] for place in put_back}
    for (title, heading), text in people.typed.items():
        assert desk.cell(title, heading) == text, f"seed {seed}: {title}'s {heading} was a person's"
    for title, inputs in people.inputs.items():
        where = f"seed {seed}: {title}: {desk.row(title)}"
        assert desk.row(title)[:4] == inputs, where
        status, task = desk.cell(title, "Status"), desk.cell(title, "Task ID")
        if task:
            assert tasks[task] == inputs[1], where
            assert (title, "Video URL") in people.typed or task in desk.cell(title, "Video URL"), where
        if (title, "Status") not in people.typed:
            assert status == ("succeeded" if task else "invalid"), where
            assert task or (title, "Error") in people.typed or "'round'" in desk.cell(title, "Error"), where


async def run(seed: int, deaths: float = 0.0) -> None:
    """``deaths``: how likely it is for each turn that the relay dies during it, or a little later."""
    chance, fate = random.Random(seed), random.Random(f"deaths {seed}")
    desk = Desk(seed)
    people = People(desk, chance)
    for _ in range(4):
        people.insert()
    desk.fake.meddle = people.meddle
    for turn in range(STORM + CALM):
        people.busy = turn < STORM
        if people.busy:
            desk.line.faults.extend(chance.choices([None, 429, 503, "cut", "lost"], [30, 1, 1, 1, 2], k=3))
        else:
            desk.line.faults.clear()
        if people.busy and fate.random() < deaths:
            desk.left = fate.randrange(40)
        if turn == STORM + 2:
            people.insist()
        await desk.turn(chance.uniform(60, 200))
        for task in desk.tasks():
            if task["status"] == "queued" and (not people.busy or chance.random() < 0.3):
                desk.finish(task["id"])
    check(people, seed)


@pytest.mark.parametrize("deaths", [0.0, 0.5])
async def test_whatever_people_do_at_whatever_moment(deaths: float) -> None:
    for seed in range(SEEDS):
        await run(seed, deaths)
        await asyncio.sleep(0)
