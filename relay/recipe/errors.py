"""What can be wrong with a recipe, and where."""

import difflib
from collections.abc import Iterable

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class RecipeErrors(Exception):
    """One or more recipes cannot be used; ``problems`` says all that is wrong with them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class UnknownRecipe(Exception):
    """There is no recipe of that name; the message says what there is."""


class RenderError(Exception):
    """A template could not be filled in: the message names the place, the expression and what was in reach."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean …?``, or what there is."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there is: {', '.join(choices)}" if choices else ""
