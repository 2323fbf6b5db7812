"""The sandbox that templates run in: no code, no secrets, no way to spend the relay's memory or time.

Jinja's own sandbox keeps templates away from Python; what it does not bound, size and time, is bounded here: the
statements that can recurse are refused, loops share one budget of turns, and everything that makes a string longer is
measured before it happens (:mod:`.budget`).
"""

import difflib
from collections.abc import Collection
from contextvars import ContextVar
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from .bounded import OUTPUT_MOST, bounded, join, replace, rounded, short_enough, string, total
from .budget import begin, counted, spend, weigh, weighed, whole
from .filters import FILTERS

SOURCE_MOST = 32 * 1024
"""Characters of one template."""
RANGE_MOST = 1_000
POWER_MOST = 64
INTEGER_MOST = 10**30

_KEPT = {
    *("abs", "capitalize", "default", "d", "dictsort", "first", "float", "int", "items", "last", "length", "count"),
    *("list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "sort"),
    *("string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount"),
}
METHODS = {
    *("capitalize", "endswith", "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "splitlines"),
    *("startswith", "strip", "title", "upper"),
}
_STATEMENTS = (nodes.Output, nodes.For, nodes.If, nodes.Assign)
_HARMLESS = {"defined", "undefined", "none", "filter", "test"}
_TURNS, _WEIGHED = " turns", " weighed"
"""Filters that only we can write: no template can name them."""
_JINJAS_OWN = {"self", "super", "caller", "varargs", "kwargs"}


class Missing(StrictUndefined):
    """A name that is not there; says what is, and what was probably meant."""

    @property
    def _undefined_message(self) -> str:
        name, thing = _name(self._undefined_name), self._undefined_obj
        known = sorted(map(str, cast("dict[Any, Any]", thing) if isinstance(thing, dict) else _there.get()))
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        there = ", ".join(known[:40]) or "nothing"
        return f"{name!r} is not there; {hint}in reach: {there}"


def _name(name: Any) -> str:
    """What was asked for; never written out when it is no plain name, for it may have no end."""
    return str(name)[:100] if isinstance(name, str | int | float) else f"a {type(name).__name__}"


_there: ContextVar[Collection[str]] = ContextVar("there", default=())


def say_what_is_there(names: Collection[str]) -> None:
    """What the next template can see, for the error that it may end with."""
    _there.set(names)


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs what a recipe may say."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing, autoescape=False, keep_trailing_newline=True, cache_size=0, finalize=_written
        )
        own = {"join": join, "replace": replace, "round": rounded, "string": string, "sum": total}
        filters = {name: self.filters[name] for name in _KEPT} | FILTERS | own
        self.filters = {name: bounded(name, function) for name, function in filters.items()}
        self.filters |= {_TURNS: counted, _WEIGHED: weighed}
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
            return attr in METHODS
        return super().is_safe_attribute(obj, attr, value) and not callable(value)

    def is_safe_callable(self, obj: Any) -> bool:
        return obj is _range or getattr(obj, "__name__", "") in METHODS

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (Jinja's own names)
        """A method of a text, paid for."""
        if __obj is not _range:
            short_enough([*args, *kwargs.values()])
        return weighed(super().call(__context, __obj, *args, **kwargs))

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
        spend(weigh(result, OUTPUT_MOST))
        if isinstance(result, int) and abs(result) > INTEGER_MOST:
            raise SecurityError("the number is too large")
        return result


def _refuse(tree: nodes.Template) -> None:
    """Only output, ``if``, ``for`` and ``set``: what else there is can call itself or reach other files."""
    for node in tree.find_all(nodes.Stmt):
        if not isinstance(node, _STATEMENTS) or getattr(node, "recursive", False):
            kind = type(node).__name__.lower()
            message = f"{kind!r} cannot be used in a recipe; there are if, for and set"
            raise TemplateSyntaxError(message, node.lineno or 1)  # some have no line
    for name in tree.find_all(nodes.Name):
        if name.name in _JINJAS_OWN:
            raise TemplateSyntaxError(f"{name.name!r} cannot be used in a recipe", name.lineno)


class _Bounded(NodeTransformer):
    """Puts each loop under the budget and each ``~`` under the limit of length; weighs what is compared or copied."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _TURNS)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "join")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        node.expr = _filtered(node.expr, _WEIGHED)
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, _WEIGHED)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Test:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        if node.name not in _HARMLESS:
            node.node = _filtered(node.node, _WEIGHED)
            node.args = [_filtered(argument, _WEIGHED) for argument in node.args]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802 (the name that the visitor looks for)
        self.generic_visit(node)
        return _filtered(node, _WEIGHED) if isinstance(node.arg, nodes.Slice) else node

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802 (the name that the visitor looks for)
        """A list instead: a tuple of tuples of tuples could be a key, and would be hashed without end."""
        self.generic_visit(node)
        return nodes.List(node.items, lineno=node.lineno) if node.ctx == "load" else node


def _filtered(node: nodes.Expr | nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


def _plain(*numbers: Any) -> bool:
    return all(isinstance(number, int | float) for number in numbers)


def _length(value: Any) -> int:
    return len(cast("list[Any]", value)) if isinstance(value, str | list | tuple) else 0


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if len(turns) > RANGE_MOST:
        raise SecurityError(f"range() may have {RANGE_MOST} numbers; this has more")
    return turns


def _written(value: Any) -> Any:
    """What stands between braces in a text: paid for before it is written out."""
    return value if isinstance(value, str | int | float) else whole(value)


__all__ = ["OUTPUT_MOST", "SOURCE_MOST", "Missing", "SecurityError", "TemplateEnvironment", "TemplateError", "begin"]
