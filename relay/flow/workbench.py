"""Where recipes are tried before they run: checked against what is there, and filled in for a real task or a sample."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from relay.journal import DeliveryRow, Finish, Journal, TaskRow
from relay.recipe import Preview, Problem, Recipe, RecipeSet, check, check_text, preview
from relay.recipe.reach import sample

from .connections import Connections
from .groups import gathered
from .occasions import DEAD, UPDATED, dead_delivery
from .plan import labels_of, wants
from .view import client_task, event, media_link, row_of

NAMELESS = "recipe.yaml"
"""What a text is called that is no file yet."""


class NoPreview(Exception):
    """There is nothing to preview a recipe with; the message says what is missing. ``status`` is the HTTP status."""

    def __init__(self, message: str, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


class Workbench:
    """Checks and previews recipes. Nothing is sent, and nothing written down."""

    def __init__(
        self,
        journal: Journal,
        connections: Connections,
        configs: Mapping[str, type[msgspec.Struct]],
        base_url: str,
    ) -> None:
        self._journal = journal
        self._connections = connections
        self._configs = configs
        self._base_url = base_url

    async def check_text(self, source: str, file: str = NAMELESS) -> tuple[Recipe | None, list[Problem]]:
        """The recipe that ``source`` is, if it can be read, and everything that is wrong with it."""
        known = await self._connections.known()
        return await asyncio.to_thread(check_text, source, file, self._configs, known)

    async def check(self, recipes: RecipeSet) -> list[Problem]:
        """What would make recipes that could be read fail."""
        known = await self._connections.known()
        return [problem for recipe in recipes for problem in check(recipe, self._configs, known)]

    async def preview(self, recipe: Recipe, task_id: str | None = None) -> list[Preview]:
        """What ``recipe`` would do: for a sample of each of its events, or for each that a real task had. Raises
        :class:`NoPreview`."""
        if task_id is None:
            return [await self._sample(recipe, kind) for kind in recipe.on]
        task = await self._journal.tasks.get(task_id) or await self._journal.tasks.by_provider_id(task_id)
        if task is None:
            raise NoPreview(f"there is no task {task_id[:80]}")
        rows = await self._journal.deliveries.of_task(task.id)
        shown = [
            await self._finish(recipe, task, finish, rows) for finish in await self._journal.tasks.finishes(task.id)
        ]
        if UPDATED in recipe.on:
            shown.append(await self._seen(recipe, task, _now(task), rows))
        if DEAD in recipe.on:
            others = [row for row in rows if row.state == "dead" and row.recipe != recipe.name]
            shown += [await self._seen(recipe, task, _about(task, row), []) for row in others]
        if not shown:
            raise NoPreview(f"task {task.id} has not finished yet; without a task, a sample is shown", 409)
        return [*shown, *[await self._sample(recipe, kind) for kind in recipe.on if kind not in _OF_A_TASK]]

    async def _sample(self, recipe: Recipe, kind: str) -> Preview:
        return await self._shown(recipe, sample(kind), sample=True)

    async def _shown(self, recipe: Recipe, context: Mapping[str, Any], **more: Any) -> Preview:
        """In a thread of its own: a template may take a second, and the line goes on meanwhile."""
        return await asyncio.to_thread(preview, recipe, context, self._configs, **more)

    async def _finish(self, recipe: Recipe, task: TaskRow, finish: Finish, rows: list[DeliveryRow]) -> Preview:
        media = await self._journal.deliveries.media_of(task.id, finish.revision)
        whole = event(finish, task, [media_link(file, self._base_url) for file in media])
        head = {name: whole.pop(name) for name in ("id", "type", "created_at", "revision")}
        if finish.event == "task.requires_action":
            whole["task"] = {**whole["task"], "approval_url": f"{self._base_url}/approve/apv_preview"}
        return await self._seen(recipe, task, {**whole, "event": head}, rows)

    async def _seen(self, recipe: Recipe, task: TaskRow, context: dict[str, Any], rows: list[DeliveryRow]) -> Preview:
        """The preview of a real event, with the outcomes that this recipe's steps have already had."""
        own = [row for row in rows if row.recipe == recipe.name and row.event_id == context["event"]["id"]]
        outcomes = [(row.step, msgspec.json.decode(row.outcome)) for row in own if row.outcome is not None]
        repeated = [name for name, step in recipe.steps.items() if step.for_each]
        steps = {name: outcome for name, outcome in gathered(outcomes, repeated).items() if outcome}
        dead = next((dead_delivery(row) for row in own if row.state == "dead"), None)
        shown = await self._shown(recipe, {**context, "steps": steps}, dead=dead)
        labels = labels_of(task)
        if shown.event == DEAD:  # told to whoever asks for it, whichever recipes were named
            labels = msgspec.structs.replace(labels, recipes=frozenset())
        if shown.matches and not wants(recipe, labels):
            shown = Preview(shown.event, shown.task_id, shown.revision, sample=False, matches=False)
            shown.reason = (
                "the task carries none of the tags, batches or clients of `match:`, or was asked for with other recipes"
            )
        return shown


_OF_A_TASK = ("task.succeeded", "task.failed", "task.requires_action", UPDATED, DEAD)


def _now(task: TaskRow) -> dict[str, Any]:
    """A task as it is now, as news of it."""
    head = {"id": "evt_sample", "type": UPDATED, "created_at": int(task.updated_at), "revision": task.revision}
    return {"event": head, "task": client_task(task), "row": row_of(task), "media": []}


def _about(task: TaskRow, dead: DeliveryRow) -> dict[str, Any]:
    """A dead letter, as news of it."""
    head = {"id": "evt_sample", "type": DEAD, "created_at": int(dead.updated_at), "revision": dead.revision}
    return {
        "event": head,
        "task": client_task(task),
        "row": row_of(task),
        "delivery": dead_delivery(dead),
        "media": [],
    }
