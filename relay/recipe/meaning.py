"""What a recipe that can be read must still fulfil: events that exist, steps that can be ordered, hours that come."""

import re
from graphlib import CycleError, TopologicalSorter
from typing import cast

from .document import Document, Path
from .errors import Problem, suggestion
from .model import EACH_MEDIA, EVENTS, LATE, SCHEDULE, Recipe, Step
from .render import NO
from .schedule import wrong_schedule

RESERVED = "archive"
"""The built-in recipe that stores the files; a recipe of one's own must be called something else."""

_STEP_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


def meaning(document: Document, recipe: Recipe) -> list[Problem]:
    """All that is wrong with what the recipe says."""
    problems = [*_events(document, recipe), *_condition(document, ("when",), recipe.when)]
    if recipe.name == RESERVED:
        problems.append(document.problem(("name",), f"{RESERVED!r} is the built-in recipe; choose another name"))
    for name, step in recipe.steps.items():
        problems += _step(document, recipe, name, step)
    try:
        TopologicalSorter({name: step.after for name, step in recipe.steps.items()}).prepare()
    except CycleError as error:
        circle = " → ".join(cast("list[str]", error.args[1]))
        problems.append(document.problem(("steps",), f"the steps wait for each other: {circle}"))
    for index, step in enumerate(recipe.on_failure):
        path: Path = ("on_failure", index)
        problems += [*_tries(document, path, step), *_late(document, path, step)]
        if step.after:
            problems.append(document.problem(path, "a step of `on_failure:` has no `after:`; each runs at once"))
        if step.for_each is not None:
            problems.append(document.problem(path, "a step of `on_failure:` has no `for_each:`; it tells of one step"))
    return problems


def _events(document: Document, recipe: Recipe) -> list[Problem]:
    if recipe.schedule is not None:
        wrong = wrong_schedule(recipe.schedule)
        problems = [document.problem(("on",), wrong)] if wrong else []
        if "match" in document.data:
            problems.append(document.problem(("match",), "a schedule is about no task, so there is nothing to match"))
        return problems
    problems = [
        document.problem(("on",), f"{event!r} is not an event", _meant(event))
        for event in recipe.on
        if event not in EVENTS
    ]
    if not recipe.on:
        problems.append(document.problem(("on",), "`on:` names no event", suggestion("", EVENTS)))
    return problems


def _meant(event: str) -> str:
    if event == SCHEDULE:
        return 'write it as { schedule: "0 9 * * mon", tz: Europe/Berlin }'
    return suggestion(event, EVENTS)


def _step(document: Document, recipe: Recipe, name: str, step: Step) -> list[Problem]:
    path: Path = ("steps", name)
    problems = [*_tries(document, path, step), *_late(document, path, step)]
    if not _STEP_NAME.fullmatch(name):
        rule = "a step's name has small letters, digits and _, and starts with a letter"
        problems.append(document.problem(path, f"{name!r} cannot name a step: {rule}"))
    problems += [
        document.problem((*path, "after"), f"there is no step {other!r}", suggestion(other, recipe.steps))
        for other in step.after
        if other not in recipe.steps
    ]
    if step.for_each not in (None, EACH_MEDIA):
        what = f"a step can be repeated for {EACH_MEDIA} only, not for {step.for_each!r}"
        problems.append(document.problem((*path, "for_each"), what, f"write for_each: {EACH_MEDIA}"))
    elif step.for_each and not all(event.startswith("task.") for event in recipe.on):
        problems.append(document.problem((*path, "for_each"), "only the events of a task have files to repeat for"))
    return problems


def _late(document: Document, path: Path, step: Step) -> list[Problem]:
    return [
        problem
        for setting in sorted(LATE & step.with_.keys())
        for problem in _condition(document, (*path, "with", setting), step.with_[setting])
    ]


def _condition(document: Document, path: Path, value: object) -> list[Problem]:
    """A text without an expression in it would always hold, whatever it says."""
    if not isinstance(value, str) or "{{" in value or "{%" in value or value.strip().lower() in (*NO, "true", "yes"):
        return []
    return [document.problem(path, f"{value!r} is only text, which always holds", f'write "{{{{ {value.strip()} }}}}"')]


def _tries(document: Document, path: Path, step: Step) -> list[Problem]:
    retry, problems = step.retry, list[Problem]()
    if retry.attempts is not None and retry.attempts < 1:
        problems.append(document.problem((*path, "retry"), "`attempts` must be 1 or more"))
    if any(wait < 0 for wait in retry.schedule):
        problems.append(document.problem((*path, "retry"), "`schedule` has seconds to wait, each 0 or more"))
    if retry.give_up_after is not None and retry.give_up_after <= 0:
        problems.append(document.problem((*path, "retry"), "`give_up_after` must be more than 0 seconds"))
    if step.timeout is not None and step.timeout <= 0:
        problems.append(document.problem((*path, "timeout"), "`timeout` must be more than 0 seconds"))
    return problems
