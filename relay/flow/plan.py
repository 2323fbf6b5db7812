"""(finish or occasion, recipes) → deliveries. Pure: no I/O, no clock."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

import msgspec
from msgspec import Struct

from relay.journal import DeliveryRow, Finish, Occasion, TaskRow
from relay.recipe import Match, Recipe, Renderer, RenderError, Step

from .groups import names_of, read_name
from .lanes import lane_of

ARCHIVE = "archive"
"""The built-in recipe, step and connector that copies a finish's media into our own store."""

UNROUTED = "unrouted"
"""What stands in place of a delivery when no recipe wants a finish."""

NewId = Callable[[str], str]


class Labels(Struct, frozen=True):
    """What ``match:`` of a recipe is held against."""

    tags: frozenset[str] = frozenset()
    batch: frozenset[str] = frozenset()
    client: frozenset[str] = frozenset()
    recipes: frozenset[str] = frozenset()
    """Recipes that were named when it was asked for: they alone, whatever they match."""


def labels_of(task: TaskRow) -> Labels:
    """The tags, batch and client that a task carries, and the recipes that it was asked for with."""
    return labels(task.tags, task.batch, task.client, task.recipes)


def labels(tags: str, batch: str, client: str, recipes: str) -> Labels:
    """Labels as they are stored: ``tags`` and ``recipes`` are JSON arrays."""
    words = [frozenset(msgspec.json.decode(text, type=list[str])) for text in (tags, recipes)]
    return Labels(words[0], frozenset({batch} - {""}), frozenset({client} - {""}), words[1])


def wants(recipe: Recipe, labels: Labels) -> bool:
    """Whether a recipe may have what carries the labels: it was named, or none was and its ``match`` fits."""
    return recipe.name in labels.recipes if labels.recipes else fits(recipe.match, labels)


def fits(match: Match, labels: Labels) -> bool:
    """Whether the labels have one of the values of each list that ``match`` gives."""
    return all(
        not wanted or bool(there.intersection(wanted))
        for wanted, there in (
            (match.tags, labels.tags),
            (match.batch, labels.batch),
            (match.client, labels.client),
        )
    )


def plan(
    finish: Finish,
    recipes: Sequence[Recipe],
    renderer: Renderer,
    context: Mapping[str, Any],
    new_id: NewId,
    labels: Labels = Labels(),  # noqa: B008 (it cannot change)
) -> list[DeliveryRow]:
    """The deliveries that ``finish`` causes: the archive first, if it has media; then each matching recipe's
    steps, those without ``after`` waiting for the archive. If no recipe wants it, that is one row too: *unrouted*.

    A recipe whose ``when`` cannot be evaluated is planned as a dead letter, so that somebody is told.
    """
    planned: list[DeliveryRow] = []
    if media_count(context):
        planned.append(_row(finish, ARCHIVE, "", ARCHIVE, Step(use=ARCHIVE), new_id))
    first = [row.id for row in planned]
    routed = wanted(finish, recipes, renderer, context, new_id, labels, first)
    return planned + (routed or [_unrouted(finish, new_id)])


def wanted(
    news: Finish | Occasion,
    recipes: Iterable[Recipe],
    renderer: Renderer,
    context: Mapping[str, Any],
    new_id: NewId,
    labels: Labels,
    first: list[str],
) -> list[DeliveryRow]:
    """The steps of all recipes that want ``news``; those without ``after`` wait for the deliveries ``first``."""
    planned: list[DeliveryRow] = []
    for recipe in recipes:
        if news.event not in recipe.on or not wants(recipe, labels):
            continue
        try:
            matches = renderer.matches(recipe, context)
        except RenderError as error:
            planned.append(_dead(news, recipe, str(error), new_id))
            continue
        if matches:
            planned += plan_steps(news, recipe, first, media_count(context), new_id)
    return planned


def media_count(context: Mapping[str, Any]) -> int:
    """How many files the finish that ``context`` speaks of has."""
    task: Mapping[str, Any] = context.get("task") or {}
    output: Mapping[str, Any] = task.get("output") or {}
    return len(output.get("media") or ())


def plan_failure(dead: DeliveryRow, recipe: Recipe, now: float, new_id: NewId) -> list[DeliveryRow]:
    """The ``on_failure`` steps of a recipe for a step that is dead: all due at once, none has its own."""
    return [
        DeliveryRow(
            id=new_id("dlv"),
            task_id=dead.task_id,
            revision=dead.revision,
            event_id=dead.event_id,
            recipe=dead.recipe,
            recipe_hash=dead.recipe_hash,
            step=failure_step(dead.step, position),
            use=step.use,
            connection=step.connection,
            lane=lane_of(step),
            state="due",
            created_at=now,
            updated_at=now,
            due_at=now,
        )
        for position, step in enumerate(recipe.on_failure)
    ]


def failure_step(step: str, position: int) -> str:
    """The name of an ``on_failure`` delivery: whose failure it tells of, and which one of the list it is."""
    return f"{step}!{position}"


def failed_step(name: str) -> tuple[str, int] | None:
    """The inverse of :func:`failure_step`; ``None`` for an ordinary step."""
    step, mark, position = name.partition("!")
    return (step, int(position)) if mark else None


def step_of(recipe: Recipe, name: str) -> Step:
    """The step of ``recipe`` that the delivery called ``name`` is of."""
    parts = read_name(name)
    return recipe.steps[parts.step] if parts.failure is None else recipe.on_failure[parts.failure]


def plan_steps(
    news: Finish | Occasion, recipe: Recipe, first: list[str], items: int, new_id: NewId
) -> list[DeliveryRow]:
    """All steps of a recipe for ``news`` with so many files; those without ``after`` wait for ``first``."""
    rows = {
        name: [
            _row(news, recipe.name, recipe.hash, each, step, new_id)
            for each in names_of(name, step.for_each is not None, items)
        ]
        for name, step in recipe.steps.items()
    }

    done_by: dict[str, list[str]] = {}
    """What must be done for a step to be: its deliveries, or, if it has none, those before it."""
    for name in TopologicalSorter({name: step.after for name, step in recipe.steps.items()}).static_order():
        before = list(dict.fromkeys(row for other in recipe.steps[name].after for row in done_by[other]))
        done_by[name] = [row.id for row in rows[name]] or before
        waits_for = before or first
        for row in rows[name] if waits_for else ():
            row.waits_for, row.blockers, row.state, row.due_at = waits_for, len(waits_for), "waiting", None
    return [row for group in rows.values() for row in group]


def _row(news: Finish | Occasion, recipe: str, hash: str, name: str, step: Step, new_id: NewId) -> DeliveryRow:
    return DeliveryRow(
        id=new_id("dlv"),
        task_id=news.task_id,
        revision=news.revision,
        event_id=news.event_id,
        recipe=recipe,
        recipe_hash=hash,
        step=name,
        use=step.use,
        connection=step.connection,
        lane=lane_of(step),
        state="due",
        created_at=news.at,
        updated_at=news.at,
        due_at=news.at,
    )


def _dead(news: Finish | Occasion, recipe: Recipe, error: str, new_id: NewId) -> DeliveryRow:
    row = _row(news, recipe.name, recipe.hash, "when", Step(use="when"), new_id)
    row.state, row.due_at, row.error = "dead", None, error
    return row


def _unrouted(finish: Finish, new_id: NewId) -> DeliveryRow:
    row = _row(finish, UNROUTED, "", UNROUTED, Step(use=UNROUTED), new_id)
    row.state, row.due_at = "unrouted", None
    return row
