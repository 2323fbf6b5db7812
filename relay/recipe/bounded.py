"""Jinja's own filters, kept within the budget of the rendering that uses them."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError

from .budget import counted, spend, weigh, weighed, whole

OUTPUT_MOST = 256 * 1024
"""Characters of one rendered string."""
ARGUMENT_MOST = 1_000
"""Characters of an argument that is looked for, or looked up, once for each character or entry."""
DIGITS_MOST = 20

Filter = Callable[..., Any]
_LAZY = {"map", "select", "reject", "selectattr", "rejectattr"}
"""They apply something to each entry, and would do it later: here at once, so that it is counted."""
_SHORT = {*_LAZY, "sort", "unique", "min", "max", "sum", "trim", "dictsort", "join"}
"""Their arguments are names or characters."""


def bounded(name: str, function: Filter) -> Filter:
    """``function`` as a filter that pays for what it gets and for what it gives."""

    @wraps(function)
    def paid(*arguments: Any, **named: Any) -> Any:
        first = 1 if hasattr(function, "jinja_pass_arg") else 0
        given = list(arguments)
        if name in _LAZY and len(given) > first and not isinstance(given[first], str | dict):
            given[first] = list(counted(given[first]))
        more = [*given[first + 1 :], *named.values()]
        weighed(given[first : first + 1])
        spend(weigh(more, OUTPUT_MOST) * (len(given[first]) + 1 if name in _LAZY else 1))
        if name in _SHORT:
            short_enough(more)
        result = function(*given, **named)
        if hasattr(result, "__next__"):
            result = list(counted(result))
        if isinstance(result, str) and len(result) > OUTPUT_MOST:
            raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
        return weighed(result)

    return paid


def short_enough(arguments: Iterable[Any]) -> None:
    """Refuse arguments that would make the work grow with their length."""
    for argument in arguments:
        if isinstance(argument, str) and len(argument) > ARGUMENT_MOST:
            raise SecurityError(f"an argument may have {ARGUMENT_MOST} characters here; this has {len(argument)}")


def string(value: Any) -> str:
    """Jinja's ``string``, of data only."""
    return str(whole(value))


def join(things: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    """Jinja's ``join``, measured as it grows."""
    parts: list[str] = []
    size = 0
    for thing in counted(things):
        part = thing[attribute] if attribute is not None else thing
        parts.append(part if isinstance(part, str) else str(whole(part)))
        size += len(parts[-1]) + len(separator)
        if size > OUTPUT_MOST:
            raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
    return separator.join(parts)


def replace(text: Any, old: str, new: str) -> str:
    """Jinja's ``replace``, measured before it is done."""
    whole = str(text)
    if len(whole) + whole.count(old) * len(new) > OUTPUT_MOST:
        raise SecurityError(f"the text would have more than {OUTPUT_MOST} characters")
    return whole.replace(old, new)


def rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
    """Jinja's ``round`` with a sane number of digits."""
    from jinja2.filters import do_round

    if abs(precision) > DIGITS_MOST:
        raise SecurityError(f"round has at most {DIGITS_MOST} digits")
    return do_round(value, precision, method)  # pyright: ignore[reportArgumentType] (it says itself what is wrong)


def total(things: Iterable[Any], attribute: str | None = None, start: Any = 0) -> Any:
    """Jinja's ``sum``, of numbers only: a sum of lists copies them again and again."""
    if not isinstance(start, int | float):
        raise SecurityError("sum adds numbers")
    whole: Any = start
    for thing in counted(things):
        number = thing[attribute] if attribute is not None else thing
        if isinstance(number, str | list | tuple | dict):
            raise SecurityError("sum adds numbers")
        whole = whole + number
    return whole
