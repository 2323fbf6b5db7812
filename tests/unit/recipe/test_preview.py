"""What a recipe would do, shown before it does it."""

from pathlib import Path
from typing import Any

import pytest

from connectors import discover
from relay.log import hide
from relay.recipe import Preview, Renderer, RenderError, parse, preview
from relay.recipe.model import EVENTS, SCHEDULE
from relay.recipe.reach import sample

CONFIGS = {name: connector.Config for name, connector in discover()[0].items()}


def shown(steps: str, event: str = "task.succeeded", context: dict[str, Any] | None = None, **more: Any) -> Preview:
    source = f"name: x\non: {event if event != SCHEDULE else '{ schedule: 0 9 * * mon }'}\n{steps}\n"
    return preview(parse(source, "r.yaml"), context or sample(event), CONFIGS, sample=True, **more)


def test_a_step_for_each_file_is_shown_for_each() -> None:
    context = sample()
    files = [{**context["item"], "index": index, "name": f"{index}.mp4"} for index in (0, 1)]  # type: ignore[dict-item]
    steps = """\
steps:
  save: { use: folder, for_each: task.output.media, with: { path: "{{ item.name }}" } }
  tell: { use: http, after: save, with: { body: "{{ steps.save | length }}" } }
"""
    made = shown(steps, context={**context, "media": files})
    assert [(call.step, call.with_) for call in made.calls] == [
        ("save[0]", {"path": "0.mp4"}),
        ("save[1]", {"path": "1.mp4"}),
        ("tell", {"body": 2}),
    ]
    assert made.calls[2].after == ["save"]
    assert [call.step for call in shown(steps, context={**context, "media": []}).calls] == ["tell"]


def test_what_is_told_of_a_dead_step() -> None:
    steps = "steps: { one: { use: http } }\non_failure: [{ use: http, with: { body: '{{ delivery.error }}' } }]"
    assert shown(steps).on_failure[0].with_ == {"body": "it answered 500"}
    dead = {"id": "dlv_1", "recipe": "x", "step": "one", "error": "it burns", "attempts": 3}
    assert shown(steps, dead=dead).on_failure[0].with_ == {"body": "it burns"}


def test_an_earlier_step_that_has_brought_something_is_seen_as_it_was() -> None:
    steps = "steps: { a: { use: http }, b: { use: http, after: a, with: { body: '{{ steps.a.url }}' } } }"
    assert shown(steps).calls[1].with_ == {"body": "https://example.com/result-of-the-step"}
    real = {**sample(), "steps": {"a": {"url": "https://real.example", "detail": {}}}}
    assert shown(steps, context=real).calls[1].with_ == {"body": "https://real.example"}


@pytest.mark.parametrize("event", [*EVENTS, SCHEDULE])
def test_only_what_the_event_brings_is_in_reach(event: str) -> None:
    made = shown("steps: { a: { use: http, with: { body: '{{ nothing }}' } } }", event)
    reach = {
        "batch.completed": "batch, event, media, steps, vars",
        "delivery.dead": "delivery, event, media, row, steps, task, vars",
        "schedule": "event, media, steps, vars",
    }.get(event, "event, media, row, steps, task, vars")
    assert made.errors == [
        "r.yaml:3: steps.a.with.body ('{{ nothing }}'): 'nothing' is not there; in reach: " + reach,
    ]


def test_no_secret_is_shown_not_even_in_an_error() -> None:
    hide(["a-very-secret-word"])
    made = shown("steps: { a: { use: http, with: { body: '{{ task.x }} a-very-secret-word' } } }")
    assert "a-very-secret-word" not in str(made)
    made = shown("steps: { a: { use: http, with: { headers: { x-token: abcdef }, body: a-very-secret-word } } }")
    assert made.calls[0].with_ == {"headers": {"x-token": "…"}, "body": "…"}


def test_what_no_connector_would_take_is_told() -> None:
    steps = "steps: { a: { use: htp }, b: { use: http, with: { method: FETCH } }, c: { use: folder } }"
    first, second, third = shown(steps).errors
    assert first == "there is no connector named 'htp'"
    assert "does not fit http: Invalid enum value 'FETCH'" in second
    assert "does not fit folder: Object missing required field `path`" in third


def test_an_error_at_the_top_level_names_what_is_in_reach_there(tmp_path: Path) -> None:
    recipe = parse("name: x\non: batch.completed\nwhen: '{{ bach.name }}'\nsteps: { a: { use: http } }\n", "r.yaml")
    known = {name: sample()[name] for name in ("batch", "event")}
    with pytest.raises(RenderError, match=r"did you mean 'batch'. in reach: batch, event, vars$"):
        Renderer().matches(recipe, known)
