"""``beatrelay recipes``: check and preview what you wrote, before it runs."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import click

from connectors import discover
from relay.contract import encode
from relay.flow.view import event, media_link
from relay.journal import JournalError, SqliteJournal
from relay.recipe import Problem, Recipe, RecipeErrors, Renderer, RenderError, check, load_folder, parse
from relay.recipe.errors import suggestion
from relay.recipe.reach import sample, sample_step
from relay.recipe.schema import schema
from relay.settings import SettingsError, load


@click.group()
def recipes() -> None:
    """Begin, check and preview recipes."""


@recipes.command("check")
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=Path("recipes"))
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def check_command(path: Path, config: Path) -> None:
    """Say everything that is wrong with the recipes in PATH (a folder or a file), by line."""
    found = _read(path)
    kinds = {name: connector.Config for name, connector in discover()[0].items()}
    problems = [problem for recipe in found for problem in check(recipe, kinds, _connections(config))]
    if problems:
        raise click.ClickException(_listed(problems))
    click.echo(f"{len(found)} {'recipe is' if len(found) == 1 else 'recipes are'} fine")


@recipes.command("preview")
@click.argument("recipe", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--task", "task_id", help="A real task to fill in: its id, or Beat API's.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def preview_command(recipe: Path, task_id: str | None, config: Path) -> None:
    """Show each call that RECIPE would make for a sample task, or for a real one; nothing is sent. Secrets stay in the
    connections: they are never shown."""
    (found,) = _read(recipe)
    contexts = [sample(kind) for kind in found.on] if task_id is None else asyncio.run(_remembered(task_id, config))
    for context in contexts:
        click.echo(json.dumps(json.loads(encode(_preview(found, context))), indent=2, ensure_ascii=False))


@recipes.command("schema")
def schema_command() -> None:
    """Print a JSON Schema of recipes for your editor; recipes/schema.json is this very text."""
    click.echo(schema({name: connector.Config for name, connector in discover()[0].items()}).decode(), nl=False)


@recipes.command("list")
@click.argument("path", type=click.Path(path_type=Path), default=Path("recipes"))
def list_command(path: Path) -> None:
    """List the recipes in PATH: when each fires, and what it calls."""
    for recipe in _read(path):
        on = f"{recipe.schedule.schedule} ({recipe.schedule.tz})" if recipe.schedule else ", ".join(recipe.on)
        calls = " → ".join(f"{name} ({step.use})" for name, step in recipe.steps.items())
        click.echo(f"{recipe.name}: on {on}: {calls}" + ("" if recipe.enabled else "  [not enabled]"))


@recipes.command("new")
@click.argument("name", required=False)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("recipes"), show_default=True)
def new_command(name: str | None, folder: Path) -> None:
    """Copy the recipe NAME of the gallery into your folder; without NAME, list the gallery. Never overwrites."""
    shipped = gallery()
    if name is None:
        width = max(map(len, shipped))
        for each, file in shipped.items():
            click.echo(f"{each:{width}}  {parse(file.read_text(encoding='utf-8'), str(file)).description}")
        return
    if name not in shipped:
        raise click.ClickException(f"there is no recipe {name!r} in the gallery; {suggestion(name, shipped)}")
    target = folder / f"{name}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as made:
            made.write(shipped[name].read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise click.ClickException(f"{target} exists; remove or rename it first") from error
    click.echo(f"wrote {target}; change it, then: beatrelay recipes check {folder}")


def gallery() -> dict[str, Path]:
    """The shipped recipes by name, from the wheel or from a clone."""
    places = (Path(__file__).parent / "shipped" / "gallery", Path(__file__).parents[1] / "recipes" / "gallery")
    files = next((sorted(place.glob("*.yaml")) for place in places if place.is_dir()), list[Path]())
    return {file.stem: file for file in files}


async def _remembered(task_id: str, config: Path) -> list[dict[str, Any]]:
    """What recipes would see of each finish of a real task."""
    try:
        settings = load(os.environ, config)
        journal = SqliteJournal.inspect(settings.data / "journal.db")
    except (SettingsError, JournalError) as error:
        raise click.ClickException(str(error)) from error
    try:
        task = await journal.tasks.get(task_id) or await journal.tasks.by_provider_id(task_id)
        if task is None:
            raise click.ClickException(f"there is no task {task_id} in {settings.data}")
        contexts: list[dict[str, Any]] = []
        for finish in await journal.tasks.finishes(task.id):
            media = await journal.deliveries.media_of(task.id, finish.revision)
            whole = event(finish, task, [media_link(file, settings.url) for file in media])
            head = {name: whole.pop(name) for name in ("id", "type", "created_at", "revision")}
            contexts.append({**whole, "event": head})
        if not contexts:
            raise click.ClickException(f"task {task.id} has not finished yet; leave --task out for a sample")
        return contexts
    finally:
        await journal.close()


def _preview(recipe: Recipe, context: dict[str, Any]) -> dict[str, Any]:
    kind: str = context["event"]["type"]
    context["steps"] = {
        name: [sample_step()] if step.for_each else sample_step() for name, step in recipe.steps.items()
    }
    context["item"] = (context["media"] or [{}])[0]
    renderer = Renderer()
    try:
        if kind not in recipe.on or not renderer.matches(recipe, context):
            return {"event": kind, "matches": False}
        calls = {
            name: {"use": step.use, "connection": step.connection, "with": renderer.render(recipe, step, context)}
            for name, step in recipe.steps.items()
        }
    except RenderError as error:
        raise click.ClickException(str(error)) from error
    return {"event": kind, "matches": True, "calls": calls}


def _read(path: Path) -> list[Recipe]:
    try:
        if path.is_dir():
            return list(load_folder(path))
        return [parse(path.read_text(encoding="utf-8"), str(path))]
    except RecipeErrors as errors:
        raise click.ClickException(_listed(errors.problems)) from errors
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8 text: {error.reason}") from error


def _connections(config: Path) -> list[str] | None:
    """The configured connections; ``None`` (not checked) where there is no settings file."""
    if not config.exists():
        return None
    try:
        return list(load(os.environ, config).connections)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


def _listed(problems: list[Problem]) -> str:
    return "the recipes have problems:\n" + "\n".join(map(str, problems))
