"""One step of a recipe, really run for a task that has finished: a delivery of its own that says it is a test."""

from collections.abc import Callable
from typing import Any

import msgspec

from relay.clock import Clock
from relay.contract import encode
from relay.journal import DeliveryRow, Entry, Finish, Journal, Occasion, TaskRow
from relay.recipe import Recipe
from relay.recipe.reach import sample_step

from .groups import gathered, names_of
from .lanes import lane_of
from .view import finished_task, row_of

MARK = " (test)"
"""What the name of a recipe ends with in the deliveries of its test runs."""


class NoTrial(Exception):
    """It cannot be tried; the message says why, for people."""


class Trials:
    """Plans test runs. ``wake`` is called when there is something to deliver."""

    def __init__(self, journal: Journal, clock: Clock, wake: Callable[[], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._wake = wake

    async def run(self, recipe: Recipe, step_name: str, task_id: str, key: str, by: str) -> str:
        """Plan the delivery; gives the id of its task. The same ``key`` again plans nothing more. What earlier steps
        brought is taken from the real deliveries, else made up. Raises :class:`NoTrial`."""
        task, step = await self._journal.tasks.get(task_id), recipe.steps.get(step_name)
        if step is None or task is None:
            raise NoTrial("There is no such step any more." if task else f"There is no task `{task_id[:80]}`.")
        finish = await self._finish(recipe, task)
        now, event_id = self._clock.now(), self._clock.new_id("evt")
        seen: dict[str, Any] = {"task": finished_task(finish), "row": row_of(task), "test": True}
        occasion = Occasion(
            event_id=event_id,
            event=finish.event,
            task_id=task.id,
            revision=finish.revision,
            at=now,
            key=f"test/{key}",
            context=encode({**seen, "steps": await self._brought(recipe, finish)}).decode(),
        )
        row = DeliveryRow(
            id=self._clock.new_id("dlv"),
            task_id=task.id,
            revision=finish.revision,
            event_id=event_id,
            recipe=recipe.name + MARK,
            recipe_hash=recipe.hash,
            step=next(iter(names_of(step_name, step.for_each is not None, 1))),
            use=step.use,
            connection=step.connection,
            lane=lane_of(step),
            state="due",
            created_at=now,
            updated_at=now,
            due_at=now,
        )
        if await self._journal.occasions.add(occasion, [row]):
            data = {"delivery": row.id, "recipe": row.recipe, "step": row.step, "use": row.use, "by": by}
            await self._journal.tasks.note(Entry(task_id=task.id, at=now, kind="delivery.tried", data=data))
            self._wake()
        return task.id

    async def _finish(self, recipe: Recipe, task: TaskRow) -> Finish:
        """The last one that the recipe is for."""
        finishes = [one for one in await self._journal.tasks.finishes(task.id) if one.event in recipe.on]
        if not finishes:
            raise NoTrial(f"The recipe is on {', '.join(recipe.on)}; task `{task.id}` had nothing of that.")
        return finishes[-1]

    async def _brought(self, recipe: Recipe, finish: Finish) -> dict[str, Any]:
        """The outcomes of the recipe's steps."""
        rows = await self._journal.deliveries.of_task(finish.task_id)
        own = [row for row in rows if (row.recipe, row.event_id) == (recipe.name, finish.event_id)]
        outcomes = [(row.step, msgspec.json.decode(row.outcome)) for row in own if row.outcome is not None]
        repeated = [name for name, step in recipe.steps.items() if step.for_each]
        real = {name: outcome for name, outcome in gathered(outcomes, repeated).items() if outcome}
        made_up = {name: [sample_step()] if name in repeated else sample_step() for name in recipe.steps}
        return made_up | real
