"""From a file to a :class:`Recipe`, or to everything that is wrong with it."""

import hashlib
import pathlib
import re
from typing import Any, TypeVar, cast

import msgspec

from .document import Document, Path, read
from .errors import Problem, RecipeErrors, suggestion
from .meaning import meaning
from .model import SCHEDULE, Match, Recipe, RecipeSet, Schedule, Step
from .render import filter_names, syntax_error

T = TypeVar("T")
_PROVENANCE = {"file", "source", "hash", "schedule"}
_FIELDS = {name for name in Recipe.__struct_encode_fields__ if name not in _PROVENANCE}
_STEP_FIELDS = set(Step.__struct_encode_fields__)
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_NO_FILTER = re.compile(r"No filter named '(\w+)'")
_PART = re.compile(r"\.([A-Za-z_][\w]*)|\[(\d+|\.\.\.)\]")


def parse(source: str, file: str) -> Recipe:
    """Read one recipe. Raises :class:`RecipeErrors` with everything that is wrong, by line."""
    recipe, problems = examine(source, file)
    if problems:
        raise RecipeErrors(problems)
    return recipe


def examine(source: str, file: str) -> tuple[Recipe, list[Problem]]:
    """A recipe, and what is wrong with what it says; only one with which nothing is may be used. Raises
    :class:`RecipeErrors` for a text that is no recipe at all."""
    document = read(source, file)
    problems = _shape(document)
    if problems:
        raise RecipeErrors(problems)
    data = _listed(cast("dict[str, Any]", document.data))
    # Step by step first: of a mapping, the library does not say in which entry it stumbled.
    for path, step in _step_paths(data["steps"], data.get("on_failure")):
        _converted(document, path, step, Step)
    if isinstance(data["on"], dict):
        data["schedule"], data["on"] = _converted(document, ("on",), data["on"], Schedule), [SCHEDULE]
    recipe = _converted(document, (), data, Recipe)
    recipe.file, recipe.source = file, source
    recipe.hash = hashlib.sha256(source.encode()).hexdigest()
    return recipe, [*meaning(document, recipe), *_templates(document)]


def load_folder(folder: pathlib.Path) -> RecipeSet:
    """All ``*.yaml`` of a folder; none if it is not there. Raises :class:`RecipeErrors` for all files together."""
    problems: list[Problem] = []
    recipes: dict[str, Recipe] = {}
    files = [*folder.glob("*.yaml"), *folder.glob("*.yml")]
    for file in sorted(files):
        try:
            recipe = parse(file.read_text(encoding="utf-8"), str(file))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(file), 1, 1, f"the file is not UTF-8 text: {error.reason}"))
        except RecipeErrors as errors:
            problems += errors.problems
        else:
            if recipe.name in recipes:
                other = recipes[recipe.name].file
                problems.append(Problem(str(file), 1, 1, f"{other} has the same name: {recipe.name!r}"))
            recipes[recipe.name] = recipe
    if problems:
        raise RecipeErrors(problems)
    return RecipeSet(list(recipes.values()))


def _shape(document: Document) -> list[Problem]:
    """Unknown and missing keys, found before anything else because they are what people mistype."""
    if not isinstance(document.data, dict):  # the shape of everything else follows from this
        return [document.problem((), "a recipe is a mapping with `name:`, `on:` and `steps:`")]
    data: dict[str, Any] = cast("Any", document).data
    problems = _unknown(document, (), data, _FIELDS)
    problems += [
        document.problem((), f"`{name}:` is missing")
        for name in ("name", "on", "steps")
        if data.get(name) in (None, {})
    ]
    for key, kind in (("on", Schedule), ("match", Match)):
        if isinstance(data.get(key), dict):
            problems += _unknown(document, (key,), data[key], set(kind.__struct_encode_fields__))
    steps: Any = data.get("steps")
    if isinstance(steps, list):
        hint = "write each step under a name of its own, and no - before it: tell: { use: slack, … }"
        problems.append(document.problem(("steps",), "`steps:` is a mapping, not a list", hint))
    for path, step in _step_paths(steps, data.get("on_failure")):
        problems += _unknown(document, path, step, _STEP_FIELDS)
        if "use" not in step:
            problems.append(document.problem(path, "the step says no `use:`: which connector it calls"))
    return problems


def _step_paths(steps: Any, on_failure: Any) -> list[tuple[Path, dict[str, Any]]]:
    found: list[tuple[Path, dict[str, Any]]] = []
    if isinstance(steps, dict):
        named = cast("dict[str, Any]", steps)
        found += [(("steps", name), step) for name, step in named.items() if isinstance(step, dict)]
    if isinstance(on_failure, list):
        listed = cast("list[Any]", on_failure)
        found += [(("on_failure", index), step) for index, step in enumerate(listed) if isinstance(step, dict)]
    return found


def _unknown(document: Document, path: Path, data: dict[str, Any], known: set[str]) -> list[Problem]:
    return [
        document.problem((*path, key), f"`{key}:` is not known here", suggestion(key, known))
        for key in data
        if key not in known
    ]


def _listed(data: dict[str, Any]) -> dict[str, Any]:
    """One name may stand for a list of one: in ``on``, in ``after`` and in ``match``."""
    listed = {**data, "on": [data["on"]] if isinstance(data["on"], str) else data["on"]}
    if isinstance(data.get("match"), dict):
        listed["match"] = {
            key: [value] if isinstance(value, str) else value
            for key, value in cast("dict[str, Any]", data["match"]).items()
        }
    for _, step in _step_paths(data.get("steps"), data.get("on_failure")):
        if isinstance(step.get("after"), str):
            step["after"] = [step["after"]]
    return listed


def _converted(document: Document, path: Path, data: Any, kind: type[T]) -> T:
    """``data`` as ``kind``, or a problem at the very place that does not fit."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise RecipeErrors([_misfit(document, path, str(error))]) from error


def _misfit(document: Document, path: Path, error: str) -> Problem:
    match = _AT.fullmatch(error)
    what, where = (match["what"], match["path"] or "") if match else (error, "")
    path += tuple(
        int(index) if index.isdigit() else name for name, index in _PART.findall(where) if name or index.isdigit()
    )
    hint = "write retry: { attempts: 5 }" if path and path[-1] == "retry" else ""
    return document.problem(path, f"{'.'.join(map(str, path)) or 'the recipe'}: {what}", hint)


def _templates(document: Document) -> list[Problem]:
    """Every string is a template; one that Jinja cannot read is found now, not at three in the morning."""
    problems: list[Problem] = []

    def visit(value: Any, path: Path) -> None:
        if isinstance(value, dict):
            for key, child in cast("dict[str, Any]", value).items():
                visit(child, (*path, key))
        elif isinstance(value, list):
            for index, child in enumerate(cast("list[Any]", value)):
                visit(child, (*path, index))
        elif isinstance(value, str) and (wrong := syntax_error(value)) is not None:
            hint = suggestion(unknown[1], filter_names()) if (unknown := _NO_FILTER.search(wrong[1])) else ""
            problems.append(document.problem(path, f"the template cannot be read: {wrong[1]}", hint, line=wrong[0]))

    visit(document.data, ())
    return problems
