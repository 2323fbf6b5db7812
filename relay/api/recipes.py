"""Which recipes are in use, and what is wrong with them."""

from litestar import Controller, get
from msgspec import Struct, field

from relay.contract import Data, Listing
from relay.recipe import Problem, Recipe

from .parts import TheShelf


class RecipeProblem(Struct):
    """One thing that is wrong, by line. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str
    """What was probably meant, or what to do."""


class RecipeSummary(Struct):
    """A recipe that is in use."""

    name: str
    description: str
    file: str
    hash: str
    """SHA-256 (hex) of its text: deliveries planned with it stay with this very text."""
    enabled: bool
    on: list[str]
    schedule: str | None
    """The hours at which it fires, as cron has them; with their time zone."""
    steps: list[str]
    problems: list[RecipeProblem] = field(default_factory=list[RecipeProblem])
    """What would make it fail."""


class RecipeListing(Listing[RecipeSummary]):
    """The recipes in use."""

    problems: list[RecipeProblem] = field(default_factory=list[RecipeProblem])
    """What keeps the folder, as it is now, from being used: while there is any, the recipes from before go on."""


class RecipesController(Controller):
    """Recipes."""

    path = "/relay/v1"
    tags = ("Relay",)

    @get("/recipes", operation_id="listRecipes", summary="List the recipes in use")
    async def list_recipes(self, shelf: TheShelf) -> Data[RecipeListing]:
        """The recipes of the folder, with what is wrong with them by line. A change in the folder counts within
        seconds, if all files in it can be read."""
        doubts = shelf.doubts()
        listed = [_summary(recipe, doubts) for recipe in shelf.recipes]
        return Data(RecipeListing(listed, problems=[_problem(problem) for problem in shelf.problems]))


def _summary(recipe: Recipe, doubts: list[Problem]) -> RecipeSummary:
    schedule = recipe.schedule
    return RecipeSummary(
        name=recipe.name,
        description=recipe.description,
        file=recipe.file,
        hash=recipe.hash,
        enabled=recipe.enabled,
        on=recipe.on,
        schedule=f"{schedule.schedule} ({schedule.tz})" if schedule else None,
        steps=list(recipe.steps),
        problems=[_problem(doubt) for doubt in doubts if doubt.file == recipe.file],
    )


def _problem(problem: Problem) -> RecipeProblem:
    return RecipeProblem(problem.file, problem.line, problem.column, problem.message, problem.hint)
