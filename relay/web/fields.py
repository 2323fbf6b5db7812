"""Fields of forms: what each is called and means, what was typed into it, and what is wrong with that."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct, field


class Link(NamedTuple):
    """A page of somebody else's."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Hint:
    """One field of a form: what it is called, what it means, where its value is found."""

    label: str
    text: str = ""
    link: Link | None = None
    long: bool = False
    """Its value has many lines."""
    kind: str = "text"
    """As HTML has it: ``number``, ``date``, ``url``."""


class Field(Struct):
    """One field of a form, filled in."""

    key: str
    hint: Hint
    secret: bool = False
    required: bool = False
    choices: list[str] = field(default_factory=list[str])
    value: str = ""
    """Never a secret."""
    stored: str = ""
    """Of a stored secret, its mask."""
    problem: str = ""
    default: str = ""


def place(problems: Iterable[str], fields: Iterable[Field]) -> list[str]:
    """Write each problem beside the field that it names; gives those that name none."""
    by_key, left = {one.key: one for one in fields}, list[str]()
    for problem in problems:
        named = [*re.findall(r"`(?:\$\.)?([\w.-]+)`", problem), problem.partition(" ")[0]]
        key = next((name for name in named if name in by_key), None)
        if key is None:
            left.append(problem)
        else:
            by_key[key].problem = problem
    return left
