"""Sends again what was sent before, and sends late what no recipe wanted at the time.

Nothing goes out unseen: every order can be counted first, by connector, without any effect.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from relay.clock import Clock
from relay.journal import DeliveryFilter, DeliveryRow, DeliveryState, Entry, Finish, Journal
from relay.recipe import Recipe, RecipeSet, Renderer, RenderError

from .groups import read_name
from .lanes import lane_of
from .plan import ARCHIVE, failed_step, labels_of, media_count, plan_steps, wants
from .view import finished_task, row_of

PAGE = 500
"""Deliveries or finishes looked at in one go."""

As = Literal["same", "new"]
OVER: list[DeliveryState] = ["dead", "done", "dismissed"]
"""What can be sent again: all else is under way."""


class ReplayError(Exception):
    """It cannot be done so; the message says what to do."""


class Effects(Struct):
    """What an order causes: how many deliveries, by connector."""

    count: int = 0
    by_connector: dict[str, int] = field(default_factory=dict[str, int])
    done: bool = False
    """False: this is only what would happen."""
    skipped: dict[str, int] = field(default_factory=dict[str, int])
    """What fits the order and is left out, and why."""

    def add(self, rows: Sequence[DeliveryRow]) -> None:
        """Count ``rows``."""
        for row in rows:
            self.count += 1
            self.by_connector[row.use] = self.by_connector.get(row.use, 0) + 1

    def skip(self, why: str) -> None:
        """Count one that is left out."""
        self.skipped[why] = self.skipped.get(why, 0) + 1


class Replayer:
    """Carries out replays and backfills. ``wake`` is called when there is something new to deliver."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        recipes: Callable[[], RecipeSet],
        renderer: Renderer,
        wake: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._recipes = recipes
        self._renderer = renderer
        self._wake = wake

    async def replay(self, wanted: DeliveryFilter, how: As, *, run: bool) -> Effects:
        """Send what is over again: as the ``same`` (same id, the recipe as it was) or as ``new`` ones (an id of their
        own, the recipe of today)."""
        effects, before = Effects(done=run), None
        while page := await self._journal.deliveries.find(wanted, PAGE, before):
            before = page[-1].id
            over = [row for row in page if row.state in OVER and not _behind(row)]
            for row in page:
                if _behind(row):
                    effects.skip("it was dismissed with the step before it: replay that one")
                elif row.state not in OVER:
                    effects.skip(f"it is {row.state}")
            await (self._same(over, effects) if how == "same" else self._new(over, effects))
        if run and effects.count:
            self._wake()
        return effects

    async def _same(self, rows: list[DeliveryRow], effects: Effects) -> None:
        for row in rows:
            if row.use == "when":
                effects.skip("its recipe's `when` failed: replay it as a new one")
        rows = [row for row in rows if row.use != "when"]
        if effects.done and rows:
            ids, now = [row.id for row in rows], self._clock.now()
            await self._journal.dismissals.recall(ids, now)
            rows = await self._journal.deliveries.again(ids, now)
            for row in rows:
                await self._journal.tasks.note(self._entry(row, "delivery.replayed", how=""))
        effects.add(rows)

    async def _new(self, rows: list[DeliveryRow], effects: Effects) -> None:
        for row in rows:
            planned = await self._anew(row, effects)
            if planned and effects.done:
                entries = [self._entry(row, "delivery.replayed", how=f" as {planned[0].id}")]
                await self._journal.deliveries.add(planned, entries)
            effects.add(planned)

    async def _anew(self, row: DeliveryRow, effects: Effects) -> list[DeliveryRow]:
        """The step of ``row`` as today's recipe has it; of a `when` that failed, all steps of the recipe."""
        recipe = next((one for one in self._recipes() if one.name == row.recipe), None)
        if row.recipe == ARCHIVE or recipe is None:
            effects.skip(
                "there is no recipe of that name today" if row.recipe != ARCHIVE else "the store needs no second copy"
            )
            return []
        siblings = [one for one in await self._journal.deliveries.of_task(row.task_id) if one.event_id == row.event_id]
        if row.use == "when":
            finishes = [one for one in await self._journal.tasks.finishes(row.task_id) if one.event_id == row.event_id]
            if not finishes:
                effects.skip("it told of no finish, and what it told of has passed")
                return []
            return await self._planned(recipe, finishes[0], siblings, effects)
        step = recipe.steps.get(read_name(row.step).step)
        if failed_step(row.step) or step is None:
            effects.skip("its recipe has no such step today")
            return []
        now = self._clock.now()
        number = 1 + max(one.replay for one in siblings if (one.recipe, one.step) == (row.recipe, row.step))
        fresh = DeliveryRow(
            id=self._clock.new_id("dlv"),
            task_id=row.task_id,
            revision=row.revision,
            event_id=row.event_id,
            recipe=recipe.name,
            recipe_hash=recipe.hash,
            step=row.step,
            use=step.use,
            connection=step.connection,
            lane=lane_of(step),
            state="due",
            created_at=now,
            updated_at=now,
            due_at=now,
            replay=number,
        )
        return [fresh]

    async def backfill(
        self, name: str, since: float, until: float, *, run: bool, task_id: str | None = None
    ) -> Effects:
        """Run today's recipe ``name`` over past finishes that it matches and that never had it.

        Raises :class:`ReplayError` if there is no such recipe.
        """
        recipe = next((one for one in self._recipes() if one.name == name), None)
        if recipe is None:
            known = ", ".join(sorted(one.name for one in self._recipes())) or "none"
            raise ReplayError(f"there is no recipe named {name!r}; there are: {known}")
        effects, after = Effects(done=run), (0.0, "")
        while page := await self._journal.deliveries.finishes(since, until, after, PAGE):
            after = (page[-1].at, page[-1].event_id)
            for finish in page:
                if finish.event in recipe.on and task_id in (None, finish.task_id):
                    await self._fill(recipe, finish, effects)
        if run and effects.count:
            self._wake()
        return effects

    async def _fill(self, recipe: Recipe, finish: Finish, effects: Effects) -> None:
        siblings = [
            one for one in await self._journal.deliveries.of_task(finish.task_id) if one.event_id == finish.event_id
        ]
        if any(one.recipe == recipe.name and one.use != "when" for one in siblings):
            effects.skip("it had this recipe already: replay its deliveries")
            return
        planned = await self._planned(recipe, finish, siblings, effects)
        if planned and effects.done:
            await self._journal.deliveries.add(planned, [self._entry(row, "delivery.planned") for row in planned])
        effects.add(planned)

    async def _planned(
        self, recipe: Recipe, finish: Finish, siblings: list[DeliveryRow], effects: Effects
    ) -> list[DeliveryRow]:
        task = await self._journal.tasks.get(finish.task_id)
        assert task is not None, "a finish is written together with its task"
        context: dict[str, Any] = {
            "task": finished_task(finish),
            "event": {
                "id": finish.event_id,
                "type": finish.event,
                "created_at": int(finish.at),
                "revision": finish.revision,
            },
            "row": row_of(task),
        }
        try:
            if not wants(recipe, labels_of(task)):
                effects.skip("its `match` does not fit, or it was asked for with other recipes")
                return []
            if not self._renderer.matches(recipe, context):
                effects.skip("its `when` does not hold")
                return []
        except RenderError as error:
            effects.skip(str(error))
            return []
        first = [one for one in siblings if one.recipe == ARCHIVE and one.state != "done"]
        if any(one.state == "dismissed" for one in first):
            effects.skip("the archive of its files was dismissed: replay that one first")
            return []
        now = self._clock.now()
        rows = plan_steps(finish, recipe, [one.id for one in first], media_count(context), self._clock.new_id)
        return [msgspec.structs.replace(row, created_at=now, updated_at=now, due_at=row.due_at and now) for row in rows]

    def _entry(self, row: DeliveryRow, kind: str, **more: str) -> Entry:
        about = {"delivery": row.id, "recipe": row.recipe, "step": row.step, "use": row.use}
        return Entry(task_id=row.task_id, at=self._clock.now(), kind=kind, data={**about, **more})


def _behind(row: DeliveryRow) -> bool:
    """Whether it was dismissed because it waited for a dead letter."""
    return row.state == "dismissed" and row.blockers > 0
