"""Fills templates in: strings become text, a lone ``{{ expression }}`` keeps its own type."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from jinja2 import TemplateError, nodes
from jinja2.runtime import Context

from .budget import begin, weigh, weighed
from .document import Path, read
from .environment import OUTPUT_MOST, SOURCE_MOST, Missing, TemplateEnvironment, say_what_is_there
from .errors import RenderError
from .model import LATE, Recipe, Step
from .reach import NAMES, complete

STEP_MOST = 1024 * 1024
"""Characters of all rendered values of one step."""
ERROR_MOST = 1_000
"""Characters of what an error quotes."""

NO = ("", "false", "no", "0", "none")
"""Texts that mean no, where an expression says whether something holds."""

_environment = TemplateEnvironment()
_PLAIN = (str, int, float, bool, Decimal, type(None))


class Renderer:
    """Renders recipes. Compiled templates are kept, so a recipe costs its compilation once."""

    def matches(self, recipe: Recipe, context: Mapping[str, Any]) -> bool:
        """Whether ``when:`` holds. In reach: task, event, row, vars. Raises :class:`RenderError`."""
        if not recipe.enabled:
            return False
        if isinstance(recipe.when, bool):
            return recipe.when
        return _holds(_Filling(recipe, self._reach(recipe, context)).value(recipe.when, ("when",)))

    def render(self, recipe: Recipe, step: Step, context: Mapping[str, Any]) -> dict[str, Any]:
        """The step's ``with:``, filled in but for what is :data:`.model.LATE`. Raises :class:`RenderError`."""
        filling, path = _Filling(recipe, self._reach(recipe, context)), (*_path(recipe, step), "with")
        return {key: value if key in LATE else filling.value(value, (*path, key)) for key, value in step.with_.items()}

    def why_not(self, recipe: Recipe, step: Step, setting: str, context: Mapping[str, Any]) -> str:
        """Why a :data:`.model.LATE` setting of the step does not hold, quoting it; empty if it does. One that cannot be
        told does not hold."""
        template, path = step.with_[setting], (*_path(recipe, step), "with", setting)
        try:
            answer = _Filling(recipe, self._reach(recipe, context)).value(template, path)
        except RenderError as error:
            return f"`{setting}` cannot be told: {error}"
        return "" if _holds(answer) else f"`{setting}` does not hold: {_short(str(template))}"

    def _reach(self, recipe: Recipe, context: Mapping[str, Any]) -> dict[str, Any]:
        begin()
        context = complete(context)
        if not recipe.vars:
            return {**context, "vars": {}}
        first = {name: context[name] for name in NAMES if name in context}
        filled: dict[str, Any] = _Filling(recipe, first).value(recipe.vars, ("vars",))
        return {**context, "vars": filled}


def filter_names() -> list[str]:
    """The filters that a template may use."""
    return sorted(name for name in _environment.filters if name.isidentifier() and not name.startswith("_"))


def syntax_error(source: str) -> tuple[int, str] | None:
    """``(line, message)`` of what Jinja cannot read in ``source``; ``None`` if it can."""
    try:
        _compiled(source)
    except TemplateError as error:
        return getattr(error, "lineno", None) or 1, str(error.message)
    except SyntaxError as error:  # Python's own, of the code that Jinja makes: a name given twice, too many loops
        return 1, "it is nested too deeply" if "too many" in error.msg else error.msg
    except (RecursionError, MemoryError):
        return 1, "it is nested too deeply"
    except Exception as error:  # Jinja works out what is constant while it compiles, and that raises anything
        return 1, str(error)[:200] or type(error).__name__
    return None


class _Filling:
    """One rendering: where it is, and what is in reach."""

    def __init__(self, recipe: Recipe, reach: Mapping[str, Any]) -> None:
        self._recipe = recipe
        self._reach = dict(reach)
        self._context = Context(_environment, {**_environment.globals, **self._reach}, None, {})
        self._size = 0

    def value(self, template: Any, path: Path) -> Any:
        if isinstance(template, dict):
            return {key: self.value(child, (*path, key)) for key, child in cast("dict[str, Any]", template).items()}
        if isinstance(template, list):
            return [self.value(child, (*path, index)) for index, child in enumerate(cast("list[Any]", template))]
        if not isinstance(template, str) or ("{{" not in template and "{%" not in template):
            return template
        say_what_is_there(self._reach)
        try:
            return self._counted(_fill(template, self._context))
        except Exception as error:  # a filter raises anything for a value it did not expect: the template's fault
            raise RenderError(self._say(template, path, error)) from error

    def _counted(self, value: Any) -> Any:
        self._size += weigh(value, STEP_MOST)
        if self._size > STEP_MOST:
            raise ValueError(f"the texts of a step may have {STEP_MOST} characters together")
        return value

    def _say(self, template: str, path: Path, error: Exception) -> str:
        place = read(self._recipe.source, self._recipe.file).place(path)
        where = ".".join(map(str, path))
        return f"{self._recipe.file}:{place.line}: {where} ({_short(template)!r}): {str(error)[:ERROR_MOST]}"


def _short(template: str) -> str:
    return (template if len(template) <= 120 else template[:117] + "…").strip()


def _holds(answer: Any) -> bool:
    """Whether what an expression gave means yes."""
    return answer.strip().lower() not in NO if isinstance(answer, str) else bool(answer)


def _fill(template: str, context: Context) -> Any:
    compiled, alone = _compiled(template)
    if alone:
        for _ in compiled.root_render_func(context):
            pass
        value = context.vars.pop("alone")
        return _checked(weighed(value))
    size, parts = 0, list[str]()
    for part in compiled.generate(context.parent):
        size += len(part)
        if size > OUTPUT_MOST:
            raise ValueError(f"the text has more than {OUTPUT_MOST} characters")
        parts.append(part)
    return _sendable("".join(parts))


@lru_cache(maxsize=2048)
def _compiled(source: str) -> tuple[Any, bool]:
    if len(source) > SOURCE_MOST:
        raise ValueError(f"a template may have {SOURCE_MOST} characters")
    tree = _environment.parse(source)
    expression = _lone_expression(tree)
    if expression is not None:
        target = nodes.Name("alone", "store", lineno=1)
        tree = nodes.Template([nodes.Assign(target, expression, lineno=1)], lineno=1)
        tree.set_environment(_environment)
    return _environment.from_string(tree), expression is not None


def _lone_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a template that is nothing else."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        return None
    only = tree.body[0].nodes[0]
    return None if isinstance(only, nodes.TemplateData) else only


def _checked(value: Any) -> Any:
    """Plain data only, and not too much of it."""
    if isinstance(value, Missing):
        str(value)  # raises, with what is in reach
    if isinstance(value, str) and len(value) > OUTPUT_MOST:
        raise ValueError(f"the text has more than {OUTPUT_MOST} characters")
    if isinstance(value, str):
        return _sendable(value)
    if isinstance(value, dict):
        return {_sendable(str(key)): _checked(child) for key, child in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_checked(child) for child in cast("list[Any]", value)]
    if isinstance(value, _PLAIN):
        return value
    raise TypeError(
        f"the expression gives a {type(value).__name__}; only text, numbers, lists and mappings can be sent"
    )


def _sendable(text: str) -> str:
    """Text that can be written down; half a character cannot."""
    if not text.isascii():
        text.encode()
    return text


def _path(recipe: Recipe, step: Step) -> Path:
    for name, known in recipe.steps.items():
        if known is step:
            return ("steps", name)
    return ("on_failure", next(index for index, known in enumerate(recipe.on_failure) if known is step))
