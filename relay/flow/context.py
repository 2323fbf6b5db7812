"""What a delivery speaks of: the event that its receiver gets, and what its templates see."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec

from relay.journal import DeliveryRow, Occasion
from relay.recipe import Recipe

from .groups import gathered, read_name
from .occasions import dead_delivery

_HEAD = ("id", "type", "created_at", "revision")
_exact = msgspec.json.Decoder(float_hook=Decimal)


def occasion_event(occasion: Occasion, media: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The event that a receiver gets for an occasion, shaped like that of a finish."""
    return {
        "id": occasion.event_id,
        "type": occasion.event,
        "created_at": int(occasion.at),
        "revision": occasion.revision,
        **cast("dict[str, Any]", _exact.decode(occasion.context)),
        "media": list(media),
    }


def context_of(
    event: Mapping[str, Any], row: DeliveryRow, siblings: Sequence[DeliveryRow], recipe: Recipe | None
) -> dict[str, Any]:
    """What the templates of one delivery see. ``siblings`` are all deliveries of the same task."""
    group = [other for other in siblings if other.event_id == row.event_id and other.recipe == row.recipe]
    outcomes = [(other.step, msgspec.json.decode(other.outcome)) for other in group if other.outcome is not None]
    repeated = [name for name, step in recipe.steps.items() if step.for_each] if recipe else []
    context: dict[str, Any] = {
        **{name: value for name, value in event.items() if name not in _HEAD},
        "event": {name: event[name] for name in _HEAD},
        "steps": _brought(event, gathered(outcomes, repeated)),
    }
    name = read_name(row.step)
    if name.failure is not None:
        failed = row.step.partition("!")[0]
        context["delivery"] = dead_delivery(next(other for other in group if other.step == failed))
    elif name.item is not None and name.item < len(event["media"]):
        context["item"] = event["media"][name.item]
    return context


def _brought(event: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The outcomes of a delivery's own group; a test run brings those of the real one along."""
    given: Mapping[str, Any] = event.get("steps") or {}
    return {**given, **{name: outcome for name, outcome in own.items() if outcome or name not in given}}
