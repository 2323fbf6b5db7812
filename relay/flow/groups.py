"""Names of deliveries: a step, one of its repetitions, or what is told of its failure."""

import functools
import re
from collections.abc import Iterable

from msgspec import Struct

_NAME = re.compile(r"(?P<step>[^\[!]+)(?:\[(?P<item>\d+)\])?(?:!(?P<failure>\d+))?")


class Name(Struct, frozen=True):
    """What the name of a delivery says."""

    step: str
    item: int | None
    """Which file, for a step with ``for_each``."""
    failure: int | None
    """Which one of ``on_failure``, if it tells of a failure."""


@functools.lru_cache(maxsize=1024)
def read_name(name: str) -> Name:
    """``save``, ``save[0]``, ``save!1`` and ``save[0]!1`` taken apart."""
    match = _NAME.fullmatch(name)
    if match is None:
        return Name(name, None, None)
    item, failure = match["item"], match["failure"]
    return Name(match["step"], None if item is None else int(item), None if failure is None else int(failure))


def names_of(step: str, each: bool, items: int) -> list[str]:
    """The names of a step's deliveries: one, or one for each of ``items`` files."""
    return [f"{step}[{item}]" for item in range(items)] if each else [step]


def gathered(outcomes: Iterable[tuple[str, object]], repeated: Iterable[str] = ()) -> dict[str, object]:
    """Outcomes by step: a repeated step gets the list of its outcomes, in order of the files."""
    lists: dict[str, dict[int, object]] = {step: {} for step in repeated}
    found: dict[str, object] = {}
    for delivery, outcome in outcomes:
        name = read_name(delivery)
        if name.item is None:
            found[delivery] = outcome
        elif name.failure is None:
            lists.setdefault(name.step, {})[name.item] = outcome
    return found | {step: [known[item] for item in sorted(known)] for step, known in lists.items()}
