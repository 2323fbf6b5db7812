"""What one rendering may spend: turns of loops, characters worked on, and processor time.

Templates are untrusted. Whatever a template does is paid for from one budget, and a value is weighed before work on
it is done: a list that holds itself a million times over weighs what it would be when written out.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, cast

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

TURNS_MOST = 20_000
"""Turns that all loops of one rendering share."""
WEIGHT_MOST = 2_000_000
"""Characters that the filters, operators and methods of one rendering may work on together."""
SECONDS_MOST = 1.0
"""Processor time of one rendering, at most. The first half is counted on the wall, which costs no system call: no
rendering ends for being one of many on a busy machine, since from there on only its own time counts."""
ITEM = 8
"""What an entry of a list or a mapping weighs, besides its content."""


_SMALL = (float, Decimal, range, Undefined)
"""What else there may be; it weighs nothing."""


class Budget:
    """What is left."""

    def __init__(self) -> None:
        self.turns = TURNS_MOST
        self.weight = WEIGHT_MOST
        self._half = time.monotonic() + SECONDS_MOST / 2
        self._until: float | None = None

    def turn(self) -> None:
        """One turn of a loop."""
        self.turns -= 1
        if self.turns < 0:
            raise SecurityError(f"the loops of a template may have {TURNS_MOST} turns together")
        self._look_at_the_time()

    def spend(self, weight: int) -> None:
        """Work on so many characters."""
        self.weight -= weight
        if self.weight < 0:
            raise SecurityError(f"the templates of a step may work on {WEIGHT_MOST} characters together")
        self._look_at_the_time()

    def _look_at_the_time(self) -> None:
        if time.monotonic() < self._half:
            return
        now = time.thread_time()
        if self._until is None:
            self._until = now + SECONDS_MOST / 2
        if now > self._until:
            raise SecurityError(f"the templates of a step may take {SECONDS_MOST:g} s together")


_budget: ContextVar[Budget] = ContextVar("budget")


def begin() -> None:
    """Start a rendering with a full budget."""
    _budget.set(Budget())


def spend(weight: int) -> None:
    """Work on so many characters. Raises :class:`LookupError` outside of a rendering: nothing is computed there."""
    _budget.get().spend(weight)


def weighed(value: Any) -> Any:
    """``value`` itself, once it is paid for."""
    budget = _budget.get()
    budget.spend(weigh(value, budget.weight))
    return value


def counted(things: Iterable[Any]) -> Iterator[Any]:
    """``things``, a turn each."""
    budget = _budget.get()
    for thing in things:
        budget.turn()
        yield thing


def whole(value: Any) -> Any:
    """``value`` itself, paid for, once it is sure that nothing in it is missing: what is written out must be there."""
    waiting: list[Any] = [weighed(value)]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, Mapping):
            waiting += cast("Mapping[Any, Any]", thing).values()
        elif isinstance(thing, list | tuple):
            waiting += cast("list[Any]", thing)
        elif isinstance(thing, Undefined):
            str(thing)  # raises, with what is in reach
    return value


def weigh(value: Any, most: int) -> int:
    """The characters that ``value`` would have when written out; stops counting past ``most``. Raises
    :class:`SecurityError` for what is no data, such as a method that was not called."""
    if isinstance(value, str):
        return len(value)
    weight = 0
    waiting: list[Any] = [value]
    while waiting and weight <= most:
        thing = waiting.pop()
        if isinstance(thing, str):
            weight += len(thing)
        elif isinstance(thing, Mapping):
            known = cast("Mapping[Any, Any]", thing)
            weight += ITEM * len(known)
            waiting += [*known.keys(), *known.values()] if weight <= most else []
        elif isinstance(thing, list | tuple):
            listed = cast("list[Any]", thing)
            weight += ITEM * len(listed)
            waiting += listed if weight <= most else []
        elif isinstance(thing, int):
            weight += thing.bit_length() // 3
        elif not (thing is None or isinstance(thing, _SMALL)):
            raise SecurityError(f"a {type(thing).__name__} is no data: there are texts, numbers, lists and mappings")
    return weight
