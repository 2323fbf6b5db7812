"""The sandbox that templates run in: no code, no secrets, no way to spend the relay's memory or time.

Jinja's own sandbox keeps templates away from Python; what it does not bound, size and time, is bounded here: the
statements that can recurse are refused, loops share one budget of turns, and everything that makes a string longer is
measured before it happens.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from .filters import FILTERS

SOURCE_MOST = 32 * 1024
"""Characters of one template."""
OUTPUT_MOST = 256 * 1024
"""Characters of one rendered string."""
TURNS_MOST = 20_000
"""Turns that all loops of one rendering share."""
RANGE_MOST = 1_000
POWER_MOST = 64
INTEGER_MOST = 10**30

_KEPT = {
    *("abs", "capitalize", "default", "d", "dictsort", "first", "float", "int", "items", "last", "length", "count"),
    *("list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "sort"),
    *("string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount"),
}
_METHODS = {
    *("capitalize", "endswith", "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "splitlines"),
    *("startswith", "strip", "title", "upper"),
}
_STATEMENTS = (nodes.Output, nodes.For, nodes.If, nodes.Assign)
_JINJAS_OWN = {"self", "super", "caller", "varargs", "kwargs"}
_turns: ContextVar[list[int]] = ContextVar("turns")


class Missing(StrictUndefined):
    """A name that is not there; says what is, and what was probably meant."""

    @property
    def _undefined_message(self) -> str:
        name, thing = str(self._undefined_name), self._undefined_obj
        known = sorted(map(str, cast("dict[Any, Any]", thing))) if isinstance(thing, dict) else _REACH
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        there = ", ".join(known[:40]) or "nothing"
        return f"{name!r} is not there; {hint}in reach: {there}"


_REACH = ["batch", "delivery", "event", "item", "media", "row", "steps", "task", "vars"]


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs what a recipe may say."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, keep_trailing_newline=True, cache_size=0)
        self.filters = {name: self.filters[name] for name in _KEPT} | FILTERS
        self.filters |= {"join": _join, "replace": _replace, "loop_turns": _counted}
        self.globals = {"range": _range}

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        _refuse(source)
        return super()._generate(_Bounded().visit(source), name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """The data comes first: ``row.items`` is the cell called *items*, never a method."""
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item, or :class:`Missing`; attributes of Python's own are not reachable this way."""
        if isinstance(obj, dict | list | tuple | str):
            try:
                return cast("Any", obj)[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _METHODS
        return super().is_safe_attribute(obj, attr, value) and not callable(value)

    def is_safe_callable(self, obj: Any) -> bool:
        return obj is _range or getattr(obj, "__name__", "") in _METHODS

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% does not format text here; use a filter")
        if operator == "**" and (not _plain(left, right) or abs(right) > POWER_MOST or abs(left) > 10**6):
            raise SecurityError("the power is too large")
        if operator in "*+" and _length(left) + _length(right):
            longer = (
                (_length(left) or left) * (_length(right) or right)
                if operator == "*"
                else _length(left) + _length(right)
            )
            if longer > OUTPUT_MOST:
                raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > INTEGER_MOST:
            raise SecurityError("the number is too large")
        return result


def begin() -> None:
    """Start a rendering with a full budget of turns."""
    _turns.set([TURNS_MOST])


def _refuse(tree: nodes.Template) -> None:
    """Only output, ``if``, ``for`` and ``set``: what else there is can call itself or reach other files."""
    for node in tree.find_all(nodes.Stmt):
        if not isinstance(node, _STATEMENTS) or getattr(node, "recursive", False):
            kind = type(node).__name__.lower()
            raise TemplateSyntaxError(f"{kind!r} cannot be used in a recipe; there are if, for and set", node.lineno)
    for name in tree.find_all(nodes.Name):
        if name.name in _JINJAS_OWN:
            raise TemplateSyntaxError(f"{name.name!r} cannot be used in a recipe", name.lineno)


class _Bounded(NodeTransformer):
    """Puts each loop under the budget, and each ``~`` under the limit of length."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "loop_turns", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "join", [], [], None, None, lineno=node.lineno)


def _plain(*numbers: Any) -> bool:
    return all(isinstance(number, int | float) for number in numbers)


def _length(value: Any) -> int:
    return len(cast("list[Any]", value)) if isinstance(value, str | list | tuple) else 0


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if len(turns) > RANGE_MOST:
        raise SecurityError(f"range() may have {RANGE_MOST} numbers; this has more")
    return turns


def _counted(things: Iterable[Any]) -> Iterator[Any]:
    left = _turns.get()
    for thing in things:
        left[0] -= 1
        if left[0] < 0:
            raise SecurityError(f"the loops of a template may have {TURNS_MOST} turns together")
        yield thing


def _join(things: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    parts: list[str] = []
    size = 0
    for thing in _counted(things):
        part = thing[attribute] if attribute is not None else thing
        parts.append(part if isinstance(part, str) else str(part))
        size += len(parts[-1]) + len(separator)
        if size > OUTPUT_MOST:
            raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
    return separator.join(parts)


def _replace(text: Any, old: str, new: str) -> str:
    whole = str(text)
    if len(whole) + whole.count(old) * len(new) > OUTPUT_MOST:
        raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
    return whole.replace(old, new)


__all__ = ["OUTPUT_MOST", "SOURCE_MOST", "Missing", "SecurityError", "TemplateEnvironment", "TemplateError", "begin"]
