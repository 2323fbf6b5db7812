"""``beatrelay recipes``: check and preview what you wrote, before it runs."""

import json
import os
from pathlib import Path
from typing import Any

import click

from connectors import discover
from relay.contract import encode
from relay.recipe import Problem, Recipe, RecipeErrors, Renderer, RenderError, check, load_folder, parse
from relay.recipe.reach import sample, sample_step
from relay.settings import SettingsError, load


@click.group()
def recipes() -> None:
    """Check and preview recipes."""


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
def preview_command(recipe: Path) -> None:
    """Show each call that RECIPE would make for a sample task; nothing is sent."""
    (found,) = _read(recipe)
    for event in found.on:
        click.echo(json.dumps(json.loads(encode(_preview(found, event))), indent=2, ensure_ascii=False))


def _preview(recipe: Recipe, event: str) -> dict[str, Any]:
    context: dict[str, Any] = sample(event)
    context["steps"] = {name: sample_step() for name in recipe.steps}
    renderer = Renderer()
    try:
        if not renderer.matches(recipe, context):
            return {"event": event, "matches": False}
        calls = {
            name: {"use": step.use, "connection": step.connection, "with": renderer.render(recipe, step, context)}
            for name, step in recipe.steps.items()
        }
    except RenderError as error:
        raise click.ClickException(str(error)) from error
    return {"event": event, "matches": True, "calls": calls}


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
