"""Which recipes are in use, what is wrong with them, and what one would do before it is used."""

from typing import Any

from litestar import Controller, Request, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, field

from relay.contract import Data, Listing
from relay.flow.recipe_files import RecipeTrouble, Removal
from relay.flow.workbench import NAMELESS, NoPreview
from relay.recipe import Preview, Problem, Recipe
from relay.recipe.document import MOST_BYTES
from relay.recipe.errors import suggestion

from .answers import refusal
from .auth import caller_of
from .errors import ApiError
from .parts import TheRecipeFiles, TheShelf, TheWorkbench

_NO_FILE = refusal("The folder has no such recipe file.")
_NOT_WRITABLE = refusal("The file cannot be read or removed; the message says why.")


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


class RecipeText(Struct, forbid_unknown_fields=True):
    """A recipe that is no file yet."""

    text: str
    """YAML."""
    file: str = NAMELESS
    """What its problems call it."""


class CheckedRecipe(Struct):
    """What the check of a text told."""

    ok: bool
    name: str | None
    """``null`` if the text cannot be read as a recipe."""
    problems: list[RecipeProblem]


class PreviewRequest(Struct, forbid_unknown_fields=True):
    """A recipe and what to fill it in with. Exactly one of `text` and `recipe`."""

    text: str | None = None
    """YAML."""
    recipe: str | None = None
    """The name of one in use."""
    task_id: str | None = None
    """A real task: its id, or Beat API's. Without it, samples are filled in."""


class RecipesController(Controller):
    """Recipes."""

    path = "/relay/v1"
    tags = ("Relay",)

    @get("/recipes", operation_id="listRecipes", summary="List the recipes in use")
    async def list_recipes(self, shelf: TheShelf, workbench: TheWorkbench) -> Data[RecipeListing]:
        """The recipes of the folder, with what is wrong with them by line. A change in the folder counts within
        seconds, if all files in it can be read."""
        doubts = await workbench.check(shelf.recipes)
        listed = [_summary(recipe, doubts) for recipe in shelf.recipes]
        return Data(RecipeListing(listed, problems=[_problem(problem) for problem in shelf.problems]))

    @post("/recipes/check", operation_id="checkRecipe", summary="Check a recipe", status_code=200)
    async def check_recipe(self, data: JSONBody[RecipeText], workbench: TheWorkbench) -> Data[CheckedRecipe]:
        """Everything that is wrong with a text, by line and column, as `beatrelay recipes check` says it: names out of
        reach, settings and connections that are not there. Nothing is kept."""
        recipe, problems = await workbench.check_text(_bounded(data.text), data.file[:200])
        name = recipe.name if recipe else None
        return Data(CheckedRecipe(not problems, name, [_problem(problem) for problem in problems]))

    @post(
        "/recipes/preview",
        operation_id="previewRecipe",
        summary="Preview a recipe",
        status_code=200,
        responses={
            400: refusal("The text is no recipe; `details` has what is wrong with it by line."),
            404: refusal("There is no such recipe, or no such task."),
            409: refusal("The task has not finished yet."),
        },
    )
    async def preview_recipe(
        self, data: JSONBody[PreviewRequest], shelf: TheShelf, workbench: TheWorkbench
    ) -> Data[Listing[Preview]]:
        """Each call that a recipe would make, filled in, for a sample of each of its events or for those that a real
        task had; secrets are blanked. Nothing is sent."""
        if (data.text is None) == (data.recipe is None):
            raise ApiError(400, "Give one of `text` (YAML) and `recipe` (the name of one in use).")
        if data.text is not None:
            recipe, problems = await workbench.check_text(_bounded(data.text))
        else:
            recipe, problems = _in_use(list(shelf.recipes), data.recipe or ""), []
        if recipe is None:
            raise ApiError(400, "The text is no recipe.", details=[_problem(problem) for problem in problems])
        try:
            return Data(Listing(await workbench.preview(recipe, data.task_id)))
        except NoPreview as error:
            raise ApiError(error.status, str(error), code="conflict" if error.status == 409 else None) from error

    @get(
        "/recipes/{file:str}/removal",
        operation_id="previewRecipeRemoval",
        summary="See what removing a recipe means",
        responses={404: _NO_FILE, 409: _NOT_WRITABLE},
    )
    async def preview_removal(self, file: FromPath[str], recipe_files: TheRecipeFiles) -> Data[Removal]:
        """Which deliveries are not over, and which are dead letters. `file` is the name of its file, such as
        `tell.yaml`. Nothing is removed."""
        try:
            return Data(await recipe_files.effects(file))
        except RecipeTrouble as error:
            raise ApiError(error.status, str(error)) from error

    @delete(
        "/recipes/{file:str}",
        operation_id="removeRecipe",
        summary="Remove a recipe",
        status_code=200,
        opt={"scope": "admin"},
        responses={404: _NO_FILE, 409: _NOT_WRITABLE},
    )
    async def remove_recipe(
        self, request: Request[Any, Any, Any], file: FromPath[str], recipe_files: TheRecipeFiles
    ) -> Data[Removal]:
        """No later finish is planned with it. Deliveries that were planned go on with the text that they were planned
        with. The text stays in the history at the dashboard, from where it can be restored."""
        caller = caller_of(request)
        try:
            return Data(await recipe_files.remove(file, None, caller.name or caller.id))
        except RecipeTrouble as error:
            raise ApiError(error.status, str(error)) from error


def _in_use(recipes: list[Recipe], name: str) -> Recipe:
    for recipe in recipes:
        if recipe.name == name:
            return recipe
    known = [recipe.name for recipe in recipes]
    raise ApiError(404, f"There is no recipe {name[:80]!r}; {suggestion(name, known)}".rstrip("; "))


def _bounded(text: str) -> str:
    if len(text) > MOST_BYTES:
        raise ApiError(413, f"A recipe may have {MOST_BYTES} characters; this has {len(text)}.")
    return text


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
