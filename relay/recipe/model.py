"""A recipe: what shall happen with a finish."""

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct, field

from .errors import UnknownRecipe, suggestion

EVENTS = (
    "task.succeeded",
    "task.failed",
    "task.requires_action",
    "task.updated",
    "batch.completed",
    "delivery.dead",
)
"""What a recipe can be ``on``, besides the hour (:class:`Schedule`)."""

SCHEDULE = "schedule"
"""The event of a recipe that a :class:`Schedule` starts."""

EACH_MEDIA = "task.output.media"
"""What a step can be repeated for."""


LATE = frozenset({"success_when"})
"""Settings in ``with:`` that are expressions over what only the connector will know, such as an answer. It gets them as
they are written, and asks for their truth when it knows."""


class Schedule(Struct, forbid_unknown_fields=True):
    """``on: { schedule: "0 9 * * mon", tz: Europe/Berlin }``."""

    schedule: str
    """Minute, hour, day of the month, month, day of the week (by name), as cron has them."""
    tz: str = "UTC"
    """The time zone in which the hours are meant."""


class Match(Struct, forbid_unknown_fields=True):
    """``match:``: only tasks that carry one of the values of each list given."""

    tags: list[str] = field(default_factory=list[str])
    batch: list[str] = field(default_factory=list[str])
    client: list[str] = field(default_factory=list[str])
    """Ids of the API keys that asked for the task."""


class Retries(Struct, forbid_unknown_fields=True):
    """``retry:`` of a step."""

    attempts: int | None = None
    """How often it is tried in all; the default schedule has 12 tries over 76 hours."""
    schedule: list[float] = field(default_factory=list[float])
    """Seconds to wait after the 1st, 2nd, … failure; without ``attempts``, it is dead after the last."""
    give_up_after: float | None = None
    """Seconds since it was planned after which it is not tried again."""


class Step(Struct, forbid_unknown_fields=True, rename={"with_": "with"}):
    """One call of one connector."""

    use: str
    """The connector's name."""
    connection: str | None = None
    """The named credentials."""
    with_: dict[str, object] = field(default_factory=dict[str, object])
    """What the connector gets, each value a template."""
    after: list[str] = field(default_factory=list[str])
    """Steps that must be done before."""
    for_each: str | None = None
    """``task.output.media``: one delivery for each file, with ``item`` in reach."""
    retry: Retries = field(default_factory=Retries)
    timeout: float | None = None
    """Seconds for one attempt."""


class Recipe(Struct, forbid_unknown_fields=True):
    """A recipe as its file says it."""

    name: str
    on: list[str]
    steps: dict[str, Step]
    when: str | bool = True
    match: Match = field(default_factory=Match)
    vars: dict[str, object] = field(default_factory=dict[str, object])
    on_failure: list[Step] = field(default_factory=list[Step])
    description: str = ""
    enabled: bool = True
    # where it comes from; not part of the file
    file: str = ""
    source: str = ""
    hash: str = ""
    """SHA-256 (hex) of the source: a delivery is pinned to it."""
    schedule: Schedule | None = None
    """Set if ``on`` says a schedule; ``on`` is then ``["schedule"]``."""


_NAMES: tuple[Callable[[Recipe], str], ...] = (
    lambda recipe: Path(recipe.file).stem,
    lambda recipe: Path(recipe.file).name,
    lambda recipe: recipe.name,
)
"""What a recipe may be called by, the surest last."""


class RecipeSet:
    """The recipes of one folder."""

    def __init__(self, recipes: list[Recipe] | None = None) -> None:
        self._recipes = recipes or []
        self._by_hash = {recipe.hash: recipe for recipe in self._recipes}

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)

    def by_hash(self, hash: str) -> Recipe | None:
        """The very recipe that a delivery was planned with, if it is still loaded."""
        return self._by_hash.get(hash)

    def named(self, word: str) -> Recipe:
        """The recipe of that name, in any case, or of that file. Raises :class:`UnknownRecipe`."""
        known = {part(recipe).casefold(): recipe for part in _NAMES for recipe in self._recipes}
        if (recipe := known.get(word.strip().casefold())) is not None:
            return recipe
        hint = suggestion(word, [recipe.name for recipe in self._recipes]) or "there is none at all"
        raise UnknownRecipe(f"there is no recipe named {word[:80]!r}; {hint}")

    def on(self, event: str) -> list[Recipe]:
        """The enabled recipes that ``event`` starts."""
        return [recipe for recipe in self._recipes if recipe.enabled and event in recipe.on]
