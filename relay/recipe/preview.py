"""What a recipe would do: each call that it would make, filled in, and nothing sent."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct, field

from relay.log import redact, redact_named

from .errors import RenderError
from .model import Recipe, Step
from .reach import in_steps, sample_step
from .render import Renderer


class Call(Struct, rename={"with_": "with"}):
    """One call of one connector, as it would be made; secrets are blanked."""

    step: str
    """The step's name; ``save[0]`` for the first file, ``on_failure[0]`` for what is told when a step is dead."""
    use: str
    connection: str | None
    after: list[str]
    with_: dict[str, Any] | None
    """What the connector would get; ``null`` if it cannot be filled in."""
    error: str | None = None
    """Why the call would fail."""


class Preview(Struct):
    """What a recipe would do with one event."""

    event: str
    task_id: str | None
    revision: int | None
    """Which finish of the task."""
    sample: bool
    """No real event, but a sample of one."""
    matches: bool
    """Whether the recipe wants the event."""
    reason: str = ""
    """Why it does not; or, if it is not enabled, that it would."""
    calls: list[Call] = field(default_factory=list[Call])
    on_failure: list[Call] = field(default_factory=list[Call])
    """What would be called if a step were dead."""

    @property
    def errors(self) -> list[str]:
        """Why calls would fail."""
        return [call.error for call in [*self.calls, *self.on_failure] if call.error]


def preview(
    recipe: Recipe,
    context: Mapping[str, Any],
    configs: Mapping[str, type[Struct]],
    *,
    dead: Mapping[str, Any] | None = None,
    sample: bool = False,
) -> Preview:
    """``recipe`` for one event. ``context`` is what templates see of it; where ``steps`` has no outcome of an earlier
    step, one is made up. ``dead`` is the delivery that ``on_failure`` tells of; without it, one is made up, too.
    ``configs`` are the connectors' settings by name."""
    event, task = context["event"], cast("dict[str, Any]", context.get("task") or {})
    shown = Preview(event["type"], task.get("id"), event.get("revision"), sample, matches=False)
    context = {name: value for name, value in context.items() if name in in_steps([event["type"]])}
    if event["type"] not in recipe.on:
        shown.reason = f"the recipe is on {', '.join(recipe.on)}; this is {event['type']}"
        return shown
    renderer = Renderer()
    try:
        shown.matches = renderer.matches(msgspec.structs.replace(recipe, enabled=True), context)
    except RenderError as error:
        shown.reason = f"`when:` cannot be told: {redact(str(error))}"
        return shown
    if not shown.matches:
        shown.reason = f"`when:` does not hold: {recipe.when}"
        return shown
    if not recipe.enabled:
        shown.reason = "it would, but it is not enabled: `enabled: false`"
    sight = _Sight(recipe, renderer, configs, context, dead or _dead(recipe))
    shown.calls = [call for name, step in recipe.steps.items() for call in sight.calls(name, step)]
    shown.on_failure = [sight.told(index, step) for index, step in enumerate(recipe.on_failure)]
    return shown


class _Sight:
    """What the steps of a recipe see of one event."""

    def __init__(
        self,
        recipe: Recipe,
        renderer: Renderer,
        configs: Mapping[str, type[Struct]],
        context: Mapping[str, Any],
        dead: Mapping[str, Any],
    ) -> None:
        self._recipe, self._renderer, self._configs, self._dead = recipe, renderer, configs, dead
        media: Sequence[Any] = context.get("media") or []
        made_up = {
            name: [sample_step() for _ in media] if step.for_each else sample_step()
            for name, step in recipe.steps.items()
        }
        self._media = media
        self._context = {**context, "steps": made_up | dict(context.get("steps") or {})}

    def calls(self, name: str, step: Step) -> list[Call]:
        """A step's calls: one, or one for each file."""
        if step.for_each is None:
            return [self._call(name, step, {})]
        return [self._call(f"{name}[{index}]", step, {"item": item}) for index, item in enumerate(self._media)]

    def told(self, index: int, step: Step) -> Call:
        """What is told of a dead step."""
        return self._call(f"on_failure[{index}]", step, {"delivery": self._dead})

    def _call(self, name: str, step: Step, more: Mapping[str, Any]) -> Call:
        call = Call(name, step.use, step.connection, list(step.after), None)
        try:
            rendered = self._renderer.render(self._recipe, step, {**self._context, **more})
            call.with_ = redact_named(rendered)
            config = self._configs.get(step.use)
            if config is None:
                call.error = f"there is no connector named {step.use!r}"
            else:
                msgspec.convert(rendered, config)
        except RenderError as error:
            call.error = redact(str(error))
        except msgspec.ValidationError as error:
            call.error = redact(f"the step's `with:` does not fit {step.use}: {error}")
        return call


def _dead(recipe: Recipe) -> dict[str, Any]:
    step = next(iter(recipe.steps))
    return {"id": "dlv_sample", "recipe": recipe.name, "step": step, "error": "it answered 500", "attempts": 12}
