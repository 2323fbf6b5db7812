"""A recipe: what shall happen with a finish."""

from collections.abc import Iterator

from msgspec import Struct, field

EVENTS = ("task.succeeded", "task.failed", "task.requires_action")
"""What a recipe can be ``on``."""


class Retries(Struct, forbid_unknown_fields=True):
    """``retry:`` of a step."""

    attempts: int | None = None
    """How often it is tried in all; the default schedule has 12 tries over 76 hours."""


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
    retry: Retries = field(default_factory=Retries)
    timeout: float | None = None
    """Seconds for one attempt."""


class Recipe(Struct, forbid_unknown_fields=True):
    """A recipe as its file says it."""

    name: str
    on: list[str]
    steps: dict[str, Step]
    when: str | bool = True
    vars: dict[str, object] = field(default_factory=dict[str, object])
    on_failure: list[Step] = field(default_factory=list[Step])
    description: str = ""
    enabled: bool = True
    # where it comes from; not part of the file
    file: str = ""
    source: str = ""
    hash: str = ""
    """SHA-256 (hex) of the source: a delivery is pinned to it."""


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
