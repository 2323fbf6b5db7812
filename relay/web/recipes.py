"""Recipes: which are in use, an editor that checks and previews as one types, history, and test runs."""

import difflib
from pathlib import Path
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Template
from msgspec import Struct

from relay.api.errors import ApiError
from relay.api.parts import TheClock, TheJournal, TheRecipeFiles, TheShelf, TheWorkbench
from relay.flow.recipe_files import ChangedMeanwhile, NoSuchFile, RecipeFiles, RecipeTrouble, Refused, digest
from relay.flow.trial import NoTrial
from relay.flow.workbench import NoPreview, Workbench
from relay.journal import DeliveryFilter, DeliveryRow, Journal, TaskRow
from relay.recipe import Preview, Problem, Recipe

from .forms import form
from .gate import back, visitor_of
from .parts import TheTrials
from .tasks import title_of

_ADMIN = {"role": "admin"}
TASKS = 20
"""Finished tasks that a preview can be chosen from."""
BEGIN = """\
name: My recipe
description: What it does, in a sentence.
on: task.succeeded
steps:
  tell:
    use: http
    connection: my-webhook
    with:
      body:
        title: "{{ row.title | default(task.id) }}"
        video_url: "{{ media[0].url }}"
"""


class Text(Struct):
    """What stands in the editor."""

    file: str = ""
    text: str = ""
    base: str = ""
    task: str = ""
    anyway: bool = False


class Trial(Struct):
    """A step to run for real."""

    step: str = ""
    task: str = ""
    nonce: str = ""
    confirm: bool = False


class Looked(Struct):
    """What was looked at when somebody decided to remove it: the digest of its text."""

    base: str = ""


class Version(Struct):
    """A version to go back to."""

    version: str


class Line(Struct):
    """A recipe file in the list."""

    file: str
    recipe: Recipe | None
    problems: list[Problem]
    last: DeliveryRow | None
    dead: bool


class RecipePages(Controller):
    """``/recipes``."""

    path = "/recipes"

    @get()
    async def list_recipes(self, recipe_files: TheRecipeFiles, shelf: TheShelf, journal: TheJournal) -> Template:
        """Every file of the folder, with what is wrong with it and what it did last."""
        lines = [await _line(file, recipe_files, journal) for file in await recipe_files.names()]
        known = {line.recipe.hash for line in lines if line.recipe}
        others = [recipe for recipe in shelf.recipes if recipe.hash not in known]
        gone = await recipe_files.gone()
        context = {"lines": lines, "others": others, "problems": shelf.problems, "gone": gone}
        return Template("recipes.html", context=context)

    @get("/new")
    async def new(self, recipe_files: TheRecipeFiles, workbench: TheWorkbench, journal: TheJournal) -> Template:
        """An empty sheet."""
        return await _editor(recipe_files, workbench, journal, Text(text=BEGIN))

    @post("/try", status_code=200)
    async def try_out(
        self,
        request: Request[Any, Any, Any],
        recipe_files: TheRecipeFiles,
        workbench: TheWorkbench,
        journal: TheJournal,
    ) -> Template:
        """The editor again, with what the text would do; nothing is kept."""
        return await _editor(recipe_files, workbench, journal, _sent(await form(request, Text)))

    @post("/save", opt=_ADMIN, status_code=303)
    async def save(
        self,
        request: Request[Any, Any, Any],
        recipe_files: TheRecipeFiles,
        workbench: TheWorkbench,
        journal: TheJournal,
    ) -> Response[Any]:
        """Whole or not at all; then it counts at once."""
        sent = _sent(await form(request, Text))
        sent.file = sent.file if "." in sent.file or not sent.file else f"{sent.file}.yaml"
        try:
            await recipe_files.save(sent.file, sent.text, sent.base, visitor_of(request).name, anyway=sent.anyway)
        except ChangedMeanwhile as error:
            return await _conflict(recipe_files, workbench, journal, sent, error)
        except Refused as error:
            return await _refused(recipe_files, workbench, journal, sent, str(error), doubtful=error.doubtful)
        except RecipeTrouble as error:
            return await _refused(recipe_files, workbench, journal, sent, str(error))
        return back(f"/recipes/{sent.file}", "Saved, and in use.")

    @get("/{file:str}")
    async def edit(
        self,
        file: FromPath[str],
        recipe_files: TheRecipeFiles,
        workbench: TheWorkbench,
        journal: TheJournal,
        shelf: TheShelf,
        task: Annotated[str, QueryParameter()] = "",
    ) -> Template:
        """The editor with the file as it is."""
        text = await _read(recipe_files, file)
        others = [one for one in shelf.problems if Path(one.file).name != file]
        return await _editor(recipe_files, workbench, journal, Text(file, text, digest(text), task), others=others)

    @get("/{file:str}/remove", opt=_ADMIN)
    async def ask_to_remove(self, file: FromPath[str], recipe_files: TheRecipeFiles) -> Template:
        """What would become of its deliveries, and the question."""
        try:
            effects = await recipe_files.effects(file)
        except RecipeTrouble as error:
            raise ApiError(error.status, str(error)) from error
        return Template("recipe-remove.html", context={"effects": effects})

    @post("/{file:str}/remove", opt=_ADMIN, status_code=303)
    async def remove(
        self, request: Request[Any, Any, Any], file: FromPath[str], recipe_files: TheRecipeFiles
    ) -> Response[Any]:
        """Take the file away, if it still says what was looked at."""
        sent = await form(request, Looked)
        try:
            effects = await recipe_files.remove(file, sent.base, visitor_of(request).name)
        except ChangedMeanwhile:
            return back(f"/recipes/{file}", "Somebody changed it meanwhile. Nothing was removed.", "ask")
        except RecipeTrouble as error:
            return back("/recipes", str(error), "bad")
        if effects.still_used:
            said = f"`{file}` is removed. It is in use until every file of the folder can be read."
            return back(f"/recipes/{file}/history", said, "ask")
        return back(f"/recipes/{file}/history", f"`{file}` is removed, and can be restored from here.")

    @get("/{file:str}/history")
    async def history(self, file: FromPath[str], recipe_files: TheRecipeFiles) -> Template:
        """Each saved version: who, when, and what it changed; also of a file that was removed."""
        versions = await recipe_files.history(file)
        gone = versions and file not in await recipe_files.names()
        text = None if gone else await _read(recipe_files, file)
        before = [*[one.text for one in versions[1:]], ""]
        changes = [diff(old, new.text) for old, new in zip(before, versions, strict=False)]
        context = {"file": file, "versions": versions, "changes": changes, "now": text}
        return Template("recipe-history.html", context=context)

    @post("/{file:str}/restore", opt=_ADMIN, status_code=303)
    async def restore(
        self, request: Request[Any, Any, Any], file: FromPath[str], recipe_files: TheRecipeFiles
    ) -> Response[Any]:
        """A former version again; that is a new version."""
        sent = await form(request, Version)
        try:
            await recipe_files.restore(file, sent.version, visitor_of(request).name)
        except Refused as error:
            return back(f"/recipes/{file}/history", sentence(error.problems), "bad")
        except RecipeTrouble as error:
            return back(f"/recipes/{file}/history", str(error), "bad")
        return back(f"/recipes/{file}", "Restored, and in use.")

    @post("/{file:str}/test", status_code=200)
    async def test_run(
        self,
        request: Request[Any, Any, Any],
        file: FromPath[str],
        shelf: TheShelf,
        workbench: TheWorkbench,
        trials: TheTrials,
        journal: TheJournal,
        clock: TheClock,
    ) -> Response[Any]:
        """First what it would do; then, when that was confirmed, one delivery that is marked as a test."""
        sent, visitor, path = await form(request, Trial), visitor_of(request), f"/recipes/{file}"
        recipe = next((one for one in shelf.recipes if Path(one.file).name == file), None)
        task = await journal.tasks.get(sent.task)
        if recipe is None or task is None:
            return back("/recipes" if recipe is None else path, "Choose a recipe in use and a finished task.", "ask")
        try:
            if sent.confirm:
                key = f"{visitor.id}:{sent.nonce}"
                await trials.run(recipe, sent.step, task.id, key, visitor.name)
                return back(f"/tasks/{task.id}", "It is sent; below is what becomes of it.")
            previews = await workbench.preview(recipe, task.id)
        except (NoTrial, NoPreview) as error:
            return back(path, str(error), "bad")
        calls = [call for shown in previews for call in shown.calls if call.step.partition("[")[0] == sent.step]
        if not calls:
            why = next((shown.reason for shown in previews if shown.reason), "it has no such step")
            return back(f"{path}?task={task.id}", f"There is nothing to send for this task: {why}.", "ask")
        context = {"file": file, "recipe": recipe, "call": calls[-1], "sent": sent, "title": title_of(task)}
        return Template("recipe-test.html", context=context | {"nonce": clock.new_id("click")})

    @post("/{file:str}/{switch:str}", status_code=303)
    async def switch(
        self, request: Request[Any, Any, Any], file: FromPath[str], switch: FromPath[str], recipe_files: TheRecipeFiles
    ) -> Response[Any]:
        """On or off; every other line stays."""
        if switch not in ("on", "off"):
            raise ApiError(404, "There is no such page.")
        try:
            await recipe_files.switch(file, visitor_of(request).name, on=switch == "on")
        except Refused as error:
            return back(f"/recipes/{file}", f"It stays off. {sentence(error.problems)}", "bad")
        except RecipeTrouble as error:
            return back("/recipes", str(error), "bad")
        return back("/recipes", f"`{file}` is switched {switch}.")


def diff(old: str, new: str) -> list[tuple[str, str]]:
    """The lines that differ, each with what became of it: ``add``, ``cut``, ``same`` or ``gap``."""
    kinds = {"+": "add", "-": "cut", " ": "same", "@": "gap"}
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))[2:]
    return [(kinds.get(line[:1], "same"), line) for line in lines]


async def _line(file: str, files: RecipeFiles, journal: Journal) -> Line:
    try:
        recipe, problems = await files.check(file, await files.read(file))
    except RecipeTrouble as error:
        return Line(file, None, [Problem(file, 1, 1, str(error))], None, dead=False)
    if recipe is None:
        return Line(file, None, problems, None, dead=False)
    last = await journal.deliveries.find(DeliveryFilter(recipe=recipe.name), 1)
    dead = await journal.deliveries.find(DeliveryFilter(recipe=recipe.name, states=["dead"]), 1)
    return Line(file, recipe, problems, last[0] if last else None, dead=bool(dead))


async def _read(files: RecipeFiles, file: str) -> str:
    try:
        return await files.read(file)
    except NoSuchFile as error:
        raise ApiError(404, str(error)) from error
    except RecipeTrouble as error:
        raise ApiError(409, str(error)) from error


def _sent(sent: Text) -> Text:
    """Forms end lines in their own way; files end with one."""
    text = sent.text.replace("\r\n", "\n").replace("\r", "\n")
    sent.text = text if text.endswith("\n") or not text else f"{text}\n"
    return sent


async def _refused(
    files: RecipeFiles, workbench: Workbench, journal: Journal, sent: Text, text: str, *, doubtful: bool = False
) -> Template:
    return await _editor(files, workbench, journal, sent, code=400, trouble=text, doubtful=doubtful)


async def _conflict(
    files: RecipeFiles, workbench: Workbench, journal: Journal, sent: Text, error: ChangedMeanwhile
) -> Template:
    """Both texts: what stands in the file now, and what was written here, which the next save puts in its place."""
    began = next((one.text for one in await files.history(sent.file) if digest(one.text) == sent.base), None)
    shown = diff(began, error.text) if began is not None else diff(sent.text, error.text)
    sent.base = digest(error.text)
    more = {"trouble": str(error), "conflict": shown, "since": began is not None}
    return await _editor(files, workbench, journal, sent, code=409, **more)


async def _editor(
    files: RecipeFiles, workbench: Workbench, journal: Journal, sent: Text, code: int = 200, **more: Any
) -> Template:
    recipe, problems = await files.check(sent.file or "recipe.yaml", sent.text)
    previews, nothing = await _previews(workbench, recipe, sent.task)
    context: dict[str, Any] = {
        "sent": sent,
        "recipe": recipe,
        "problems": problems,
        "previews": previews,
        "nothing": nothing,
        "known": sent.file in await files.names(),
        "tasks": [(task.id, title_of(task)) for task in await _finished(journal)],
        "trouble": "",
        "doubtful": False,
        "conflict": [],
        "since": False,
        "others": [],
    }
    return Template("recipe.html", context={**context, **more}, status_code=code)


async def _previews(workbench: Workbench, recipe: Recipe | None, task: str) -> tuple[list[Preview], str]:
    """What the recipe would do, or why that cannot be shown."""
    if recipe is None:
        return [], "Once the text can be read, each call that it would make is shown here."
    try:
        return await workbench.preview(recipe, task or None), ""
    except NoPreview as error:
        return [], f"{error}."


async def _finished(journal: Journal) -> list[TaskRow]:
    return [task for task in await journal.tasks.recent(TASKS * 2) if task.finished_at][:TASKS]


def sentence(problems: list[Problem]) -> str:
    first = "; ".join(f"line {one.line}: {one.message}" for one in problems[:3])
    return f"{first}; and {len(problems) - 3} more." if len(problems) > 3 else f"{first}."
