"""(finish, recipes) → deliveries. Pure: no I/O, no clock."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from relay.journal import DeliveryRow, Finish
from relay.recipe import Recipe, Renderer, RenderError, Step

from .lanes import lane_of

ARCHIVE = "archive"
"""The built-in recipe, step and connector that copies a finish's media into our own store."""

UNROUTED = "unrouted"
"""What stands in place of a delivery when no recipe wants a finish."""

NewId = Callable[[str], str]


def plan(
    finish: Finish,
    recipes: Sequence[Recipe],
    renderer: Renderer,
    context: Mapping[str, Any],
    new_id: NewId,
) -> list[DeliveryRow]:
    """The deliveries that ``finish`` causes: the archive first, if it has media; then each matching recipe's
    steps, those without ``after`` waiting for the archive. If no recipe wants it, that is one row too: *unrouted*.

    A recipe whose ``when`` cannot be evaluated is planned as a dead letter, so that somebody is told.
    """
    planned: list[DeliveryRow] = []
    output: dict[str, Any] = context["task"].get("output") or {}
    if output.get("media"):
        planned.append(_row(finish, ARCHIVE, "", ARCHIVE, Step(use=ARCHIVE), new_id))
    first = [row.id for row in planned]
    for recipe in recipes:
        if finish.event not in recipe.on:
            continue
        try:
            wanted = renderer.matches(recipe, context)
        except RenderError as error:
            planned.append(_dead(finish, recipe, str(error), new_id))
            continue
        if wanted:
            planned += plan_steps(finish, recipe, first, new_id)
    if len(planned) == len(first):
        planned.append(_unrouted(finish, new_id))
    return planned


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


def plan_steps(finish: Finish, recipe: Recipe, first: list[str], new_id: NewId) -> list[DeliveryRow]:
    """All steps of a recipe for a finish; those without ``after`` wait for ``first``."""
    rows = {name: _row(finish, recipe.name, recipe.hash, name, step, new_id) for name, step in recipe.steps.items()}
    for name, step in recipe.steps.items():
        waits_for = [rows[before].id for before in step.after] or first
        if waits_for:
            row = rows[name]
            row.waits_for, row.blockers, row.state, row.due_at = waits_for, len(waits_for), "waiting", None
    return list(rows.values())


def _row(finish: Finish, recipe: str, hash: str, name: str, step: Step, new_id: NewId) -> DeliveryRow:
    return DeliveryRow(
        id=new_id("dlv"),
        task_id=finish.task_id,
        revision=finish.revision,
        event_id=finish.event_id,
        recipe=recipe,
        recipe_hash=hash,
        step=name,
        use=step.use,
        connection=step.connection,
        lane=lane_of(step),
        state="due",
        created_at=finish.at,
        updated_at=finish.at,
        due_at=finish.at,
    )


def _dead(finish: Finish, recipe: Recipe, error: str, new_id: NewId) -> DeliveryRow:
    row = _row(finish, recipe.name, recipe.hash, "when", Step(use="when"), new_id)
    row.state, row.due_at, row.error = "dead", None, error
    return row


def _unrouted(finish: Finish, new_id: NewId) -> DeliveryRow:
    row = _row(finish, UNROUTED, "", UNROUTED, Step(use=UNROUTED), new_id)
    row.state, row.due_at = "unrouted", None
    return row
