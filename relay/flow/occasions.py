"""What recipes fire on besides a finish: a task that moves on, a dead letter, a batch that is done."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from relay.clock import Clock
from relay.contract import Credits, encode
from relay.journal import DeliveryRow, Journal, Occasion, TaskRow
from relay.recipe import RecipeSet, Renderer
from relay.recipe.reach import NAMES, nobody

from .held import hold
from .plan import Labels, NewId, labels_of, wanted

UPDATED, DEAD, BATCH = "task.updated", "delivery.dead", "batch.completed"

Planned = tuple[Occasion, list[DeliveryRow]]


class Batch(Struct, frozen=True):
    """A batch of which every task has finished, as recipes see it."""

    id: str
    name: str
    done: int
    failed: int
    credits: Credits
    """What it cost, in credits."""
    labels: Labels = Labels()
    """What its tasks carry."""


def plan_update(
    task: TaskRow, context: Mapping[str, Any], recipes: RecipeSet, renderer: Renderer, new_id: NewId, first: list[str]
) -> Planned | None:
    """``task.updated``: the provider told something new of ``task``; ``first`` is what its files wait for."""
    if not recipes.on(UPDATED):
        return None
    event_id = new_id("evt")
    occasion = Occasion(
        event_id=event_id,
        event=UPDATED,
        task_id=task.id,
        revision=task.revision,
        at=task.updated_at,
        key=f"{UPDATED}/{event_id}",
        context=_text({"task": context["task"], "row": context["row"]}),
    )
    return _planned(occasion, context, recipes, renderer, new_id, labels_of(task), first)


def plan_dead(
    dead: DeliveryRow, context: Mapping[str, Any], recipes: RecipeSet, renderer: Renderer, new_id: NewId, labels: Labels
) -> Planned | None:
    """``delivery.dead``: tells every recipe that fits, whichever were named, but the dead letter's own. ``context``
    is what the dead delivery saw.

    A dead letter about a dead letter tells nobody: two broken recipes must not call each other for ever.
    """
    others = RecipeSet([recipe for recipe in recipes if recipe.name != dead.recipe])
    if not others.on(DEAD) or context["event"]["type"] == DEAD:
        return None
    known = {
        "task": context.get("task") or nobody(),
        "row": context.get("row") or {},
        "delivery": dead_delivery(dead),
    }
    occasion = Occasion(
        event_id=new_id("evt"),
        event=DEAD,
        task_id=dead.task_id,
        revision=dead.revision,
        at=dead.updated_at,
        key=f"{DEAD}/{dead.id}/{dead.attempts}",
        context=_text(known),
    )
    return _planned(occasion, known, others, renderer, new_id, structs.replace(labels, recipes=frozenset[str]()), [])


def dead_delivery(row: DeliveryRow) -> dict[str, Any]:
    """A dead delivery as recipes see it."""
    return {"id": row.id, "recipe": row.recipe, "step": row.step, "error": row.error, "attempts": row.attempts}


class Herald:
    """Writes down occasions that belong to no task, with the deliveries that they cause. Telling one twice is telling
    it once. ``changed`` is called when there is something to deliver."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        recipes: Callable[[], RecipeSet],
        renderer: Renderer,
        changed: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._recipes = recipes
        self._renderer = renderer
        self._changed = changed

    async def batch_completed(self, batch: Batch, ended_at: float | None = None) -> bool:
        """``batch.completed``: every task of ``batch`` has finished, the last at ``ended_at`` (default: now). False: it
        was told before."""
        labels = structs.replace(batch.labels, batch=frozenset({batch.id, batch.name}))
        context: dict[str, Any] = {
            "batch": {
                "id": batch.id,
                "name": batch.name,
                "done": batch.done,
                "failed": batch.failed,
                "credits": batch.credits,
            }
        }
        now = self._clock.now()
        since = now if ended_at is None else ended_at
        return await self.announce(BATCH, batch.id, now, context, self._recipes(), labels, since=since)

    async def announce(
        self,
        event: str,
        what: str,
        at: float,
        context: dict[str, Any],
        recipes: RecipeSet,
        labels: Labels,
        *,
        since: float | None = None,
    ) -> bool:
        """Write the occasion down; ``what`` names it among those of its event. ``since`` (default: ``at``) is when it
        could have been told first."""
        event_id = self._clock.new_id("evt")
        occasion = Occasion(
            event_id=event_id,
            event=event,
            task_id=event_id,
            revision=0,
            at=at,
            key=f"{event}/{what}",
            context=_text(context),
        )
        planned = _planned(occasion, context, recipes, self._renderer, self._clock.new_id, labels, [])
        restored = self._journal.restored
        if restored is not None and (at if since is None else since) < restored.at:
            hold(planned[1], restored)
        new = await self._journal.occasions.add(*planned)
        if new and planned[1]:
            self._changed()
        return new


def _planned(
    occasion: Occasion,
    context: Mapping[str, Any],
    recipes: RecipeSet,
    renderer: Renderer,
    new_id: NewId,
    labels: Labels,
    first: list[str],
) -> Planned:
    seen: dict[str, Any] = {name: context[name] for name in NAMES if name in context}
    seen["event"] = {
        "id": occasion.event_id,
        "type": occasion.event,
        "created_at": int(occasion.at),
        "revision": occasion.revision,
    }
    return occasion, wanted(occasion, recipes, renderer, seen, new_id, labels, first)


def _text(context: Mapping[str, Any]) -> str:
    return encode(context).decode()
