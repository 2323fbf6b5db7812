"""Finds, before a recipe runs, what would make it fail: names out of reach, wrong connectors, missing settings."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

import msgspec
from jinja2 import nodes

from .document import Document, Path, read
from .environment import TemplateEnvironment
from .errors import Problem, RecipeErrors, suggestion
from .load import examine
from .model import LATE, Recipe, Step
from .reach import FIELDS, OF_EVENT, STEP, everywhere, in_steps
from .render import syntax_error

_environment = TemplateEnvironment()


Configs = Mapping[str, type[msgspec.Struct]]
"""The settings of each connector, by its name."""


class Known(msgspec.Struct, frozen=True):
    """What is known of a connection."""

    connector: str | None = None
    """``None``: it does not say."""
    keys: frozenset[str] | None = None
    """What it holds; ``None``: nobody can tell."""


Connections = Mapping[str, Known]


def check_text(
    source: str, file: str, connectors: Configs, connections: Connections | None = None
) -> tuple[Recipe | None, list[Problem]]:
    """The recipe that ``source`` is, if it can be read, and everything that is wrong with it."""
    try:
        recipe, problems = examine(source, file)
    except RecipeErrors as errors:
        return None, errors.problems
    found = sorted({*problems, *check(recipe, connectors, connections)})
    return (None if problems else recipe), found


def check(recipe: Recipe, connectors: Configs, connections: Connections | None = None) -> list[Problem]:
    """Everything that is wrong with a recipe that could be read, besides what :func:`.load.parse` refuses.
    ``connections`` are those that exist (``None``: not checked)."""
    document = read(recipe.source, recipe.file)
    problems: list[Problem] = []
    seen = everywhere(recipe.on)
    problems += _names(document, ("when",), seen, {}, recipe)
    problems += _names(document, ("vars",), seen - {"vars"}, {}, recipe)
    for name, step in recipe.steps.items():
        path: Path = ("steps", name)
        problems += _step(document, path, step, connectors, connections)
        problems += _names(
            document, (*path, "with"), in_steps(recipe.on, each=bool(step.for_each)), before(recipe, name), recipe
        )
    for index, step in enumerate(recipe.on_failure):
        path = ("on_failure", index)
        problems += _step(document, path, step, connectors, connections)
        problems += _names(document, (*path, "with"), in_steps(recipe.on, failure=True), recipe.steps, recipe)
    return sorted(problems)


def before(recipe: Recipe, step: str) -> set[str]:
    """The steps that are surely done when ``step`` runs."""
    found: set[str] = set()
    waiting = [name for name in recipe.steps[step].after if name in recipe.steps]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in recipe.steps[name].after if other in recipe.steps]
    return found


def _step(
    document: Document,
    path: Path,
    step: Step,
    connectors: Configs,
    connections: Connections | None,
) -> list[Problem]:
    config = connectors.get(step.use)
    if config is None:
        hint = suggestion(step.use, connectors)
        return [document.problem((*path, "use"), f"there is no connector {step.use!r}", hint)]
    fields = msgspec.structs.fields(config)
    known = {field.encode_name for field in fields}
    problems = [
        document.problem((*path, "with", key), f"{step.use} has no setting {key!r}", suggestion(key, known))
        for key in step.with_
        if key not in known
    ]
    problems += [
        problem
        for field in fields
        if field.encode_name in step.with_
        for problem in _literal(document, (*path, "with", field.encode_name), field.type, step)
    ]
    problems += [
        document.problem(path, f"{step.use} needs `{field.encode_name}:` in `with:`")
        for field in fields
        if field.required and field.encode_name not in step.with_
    ]
    if connections is not None and step.connection is not None:
        problems += _connection(document, path, step, step.connection, connections)
        problems += _asked(document, path, step, config, connections)
    return problems


def _literal(document: Document, path: Path, kind: Any, step: Step) -> list[Problem]:
    """A setting without any template is what its connector will get: whether that fits is known now."""
    name, value = str(path[-1]), step.with_[str(path[-1])]
    if any("{" in text for _, text in _templates(value, ())):
        return []
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        hint = ""
        if value is None:
            hint = f'nothing stands there; a text that begins with # must stand in quotes: {name}: "#releases"'
        elif isinstance(info := msgspec.inspect.type_info(kind), msgspec.inspect.LiteralType):
            hint = suggestion(str(value), map(str, info.values))
        return [document.problem(path, f"{step.use}'s `{name}` cannot be {_shown(value)}: {error}", hint)]
    return []


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _connection(document: Document, path: Path, step: Step, name: str, connections: Connections) -> list[Problem]:
    if name not in connections:
        made = f"`beatrelay connections add {name} {step.use} …`"
        hint = f"{suggestion(name, connections)} or make it: {made}".lstrip()
        return [document.problem((*path, "connection"), f"there is no connection {name!r}", hint)]
    kind = connections[name].connector
    if kind in (None, step.use):
        return []
    fitting = sorted(other for other, its in connections.items() if its.connector == step.use)
    hint = f"there is: {', '.join(fitting)}" if fitting else f"`beatrelay connections add NAME {step.use} …` makes one"
    what = f"the connection {name!r} is one for {kind}, but the step uses {step.use}"
    return [document.problem((*path, "connection"), what, hint)]


def _asked(
    document: Document, path: Path, step: Step, config: type[msgspec.Struct], connections: Connections
) -> list[Problem]:
    """What the step's settings need in its connection. Another one's will do: two may belong to the same app."""
    known = connections.get(step.connection or "")
    asks: Callable[[Mapping[str, Any]], dict[str, str]] | None = getattr(config, "asks", None)
    if known is None or known.keys is None or asks is None:
        return []
    fitting = [other.keys for other in connections.values() if other.connector in (None, step.use)]
    missing = {
        key: why for key, why in asks(step.with_).items() if not any(keys is None or key in keys for keys in fitting)
    }
    hint = f"add it: `beatrelay connections set {step.connection}"
    return [
        document.problem(
            (*path, "connection"),
            f"the connection {step.connection!r} has no `{key}`: {why}",
            f"{hint} {key}=?`, on its page, or where it stands in beatrelay.toml",
        )
        for key, why in missing.items()
    ]


def _names(
    document: Document, path: Path, reach: frozenset[str], steps: Collection[str], recipe: Recipe
) -> list[Problem]:
    problems: list[Problem] = []
    if not all(event in OF_EVENT for event in recipe.on):
        return []  # what an event brings that nobody knows, nobody can tell
    for where, template in _templates(_at(document.data, path), path):
        if syntax_error(template) is not None:
            continue
        tree = _environment.parse(template)
        seen = reach | {"answer"} if where[-2:-1] == ("with",) and where[-1] in LATE else reach
        local = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} | {"loop", "range"}
        for name in tree.find_all(nodes.Name):
            if name.ctx == "load" and name.name not in seen | local:
                message = f"{name.name!r} is not in reach here; in reach: {', '.join(sorted(seen))}"
                problems.append(document.problem(where, message, _meant(name.name, seen), line=name.lineno))
        for thing, attribute, line in _attributes(tree):
            known = _known(thing, steps, recipe)
            if thing in local or known is None or attribute in known:
                continue
            message = f"`{thing}.{attribute}` is not there"
            if thing == "steps" and attribute in recipe.steps:
                message = f"`steps.{attribute}` is not done yet when this step runs; add `after: {attribute}`"
            elif thing.startswith("steps.") and not known:
                message = f"`{thing}` is a list, one for each file; write {thing}[0].{attribute}, or loop over it"
            problems.append(document.problem(where, message, suggestion(attribute, known), line=line))
    return problems


def _meant(name: str, reach: frozenset[str]) -> str:
    hint = suggestion(name, reach)
    return hint if hint.startswith("did") else ""


def _known(thing: str, steps: Collection[str], recipe: Recipe) -> Collection[str] | None:
    if thing == "steps":
        return steps
    if thing.startswith("steps."):
        step = recipe.steps.get(thing.removeprefix("steps."))
        return () if step is not None and step.for_each else STEP
    return recipe.vars if thing == "vars" else FIELDS.get(thing)


def _attributes(tree: nodes.Template) -> Iterator[tuple[str, str, int]]:
    """``(thing, attribute, line)`` of each ``thing.attribute`` or ``thing['attribute']``, and ``steps.x.attribute``."""
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        attribute = _attribute(node)
        inner = node.node
        if attribute is None:
            continue
        if isinstance(inner, nodes.Name):
            yield inner.name, attribute, node.lineno
        elif isinstance(inner, nodes.Getattr | nodes.Getitem) and isinstance(inner.node, nodes.Name):
            step = _attribute(inner)
            if inner.node.name == "steps" and step is not None:
                yield f"steps.{step}", attribute, node.lineno


def _attribute(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _at(data: Any, path: Path) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = cast("dict[Any, Any]", data).get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = cast("list[Any]", data)[part]
    return cast("Any", data)


def _templates(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, child in cast("dict[str, Any]", value).items():
            yield from _templates(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(cast("list[Any]", value)):
            yield from _templates(child, (*path, index))
