"""``beatrelay recipes``: check and preview what you wrote, before it runs."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import click
import httpx
from msgspec import Struct

from connectors import discover
from relay.clock import SystemClock
from relay.commands.remote import api_of
from relay.contract import encode
from relay.flow.connections import Connections
from relay.flow.workbench import NoPreview, Workbench
from relay.journal import SqliteJournal
from relay.log import hide
from relay.recipe import Known, Preview, Problem, Recipe, RecipeErrors, check_text, load_folder, parse
from relay.recipe.errors import suggestion
from relay.recipe.gallery import SCHEMA, gallery, own_copy
from relay.recipe.schema import TITLE, schema
from relay.settings import Settings, SettingsError, load
from relay.vault import VaultError, keys_at_hand


@click.group()
def recipes() -> None:
    """Begin, check and preview recipes."""


@recipes.command("check")
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=Path("recipes"))
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def check_command(path: Path, config: Path) -> None:
    """Say everything that is wrong with the recipes in PATH (a folder or a file), by line. Connections are those of the
    settings and, where there is a journal, the stored ones."""
    settings = _settings(config)
    # where nothing is set up yet, nobody can say which connections there will be
    known = asyncio.run(_known(settings)) if config.exists() or _remembers(settings) else None
    problems = [problem for file in _files(path) for problem in _wrong(file, known)]
    if problems:
        raise click.ClickException(_listed(problems))
    found = _read(path)  # what is wrong with them together, such as a name that two have
    click.echo(f"{len(found)} {'recipe is' if len(found) == 1 else 'recipes are'} fine")


@recipes.command("preview")
@click.argument("recipe", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--task", "task_id", help="A real task to fill in: its id, or Beat API's.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def preview_command(recipe: Path, task_id: str | None, config: Path) -> None:
    """Show each call that RECIPE would make for a sample task, or for a real one; nothing is sent. Secrets are blanked,
    wherever they stand."""
    (found,) = _read(recipe)
    settings = _settings(config)
    shown = asyncio.run(_previewed(found, task_id, settings))
    for one in shown:
        click.echo(json.dumps(json.loads(encode(one)), indent=2, ensure_ascii=False))
    errors = [error for one in shown for error in one.errors]
    if errors:
        raise click.ClickException("\n".join(errors))


@recipes.command("schema")
@click.option(
    "--check", "file", type=click.Path(path_type=Path), help="Print nothing; fail if this file is not up to date."
)
def schema_command(file: Path | None) -> None:
    """Print a JSON Schema of recipes for your editor; recipes/schema.json is this very text."""
    fresh = schema(_configs())
    if file is None:
        click.echo(fresh.decode(), nl=False)
    elif not file.exists() or file.read_bytes() != fresh:
        raise click.ClickException(f"{file} is out of date; run `beatrelay recipes schema > {file}`")
    else:
        click.echo(f"{file} is up to date")


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
    """Copy the recipe NAME of the gallery into your folder; without NAME, list the gallery. Never overwrites a recipe.
    Beside it stands schema.json, by which an editor completes and checks what you write."""
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
            made.write(own_copy(shipped[name]))
    except FileExistsError as error:
        raise click.ClickException(f"{target} exists; remove or rename it first") from error
    _write_schema(folder)
    click.echo(f"wrote {target}; change it, then: beatrelay recipes check {folder}")


@recipes.command("remove")
@click.argument("file")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--url", help="The running relay; default: from the settings.")
@click.option("--config", type=click.Path(path_type=Path), default=Path("beatrelay.toml"), show_default=True)
def remove_command(file: str, yes: bool, url: str | None, config: Path) -> None:
    """Remove FILE, such as tell.yaml, from the running relay's recipes, after saying what becomes of its deliveries. It
    can be restored from its history at the dashboard."""
    api, path = api_of(url, config), f"/relay/v1/recipes/{quote(file, safe='')}"
    effects = api.call("GET", f"{path}/removal")
    click.echo(f"Deliveries not over: {effects['under_way']}. They go on with the text they were planned with.")
    click.echo(f"Dead letters: {effects['dead']}. They can still be sent again as they were.")
    click.echo(f"Songs not finished that were asked for with it: {effects['asked_for']}. They finish without it.")
    if not yes:
        click.confirm(f"Remove {file} ({effects['recipe'] or 'not in use'})?", abort=True)
    removed = api.call("DELETE", path)
    still = "; it is in use until every file of the folder can be read" if removed["still_used"] else ""
    click.echo(f"{file} is removed{still}")


def _write_schema(folder: Path) -> None:
    """Put the schema for editors beside the recipes, or bring it up to the connectors of today."""
    file, fresh = folder / SCHEMA, schema(_configs())
    if not file.exists() or TITLE in file.read_text(encoding="utf-8", errors="replace"):
        file.write_bytes(fresh)


async def _previewed(recipe: Recipe, task_id: str | None, settings: Settings) -> list[Preview]:
    if task_id is not None and not _remembers(settings):
        raise click.ClickException(
            f"there is no journal at {_file(settings)}; start the relay once, or name its folder"
        )
    try:
        async with _connections(settings) as (journal, connections):
            await connections.start()  # from here on, every secret is known, and blanked
            return await Workbench(journal, connections, _configs(), settings.url).preview(recipe, task_id)
    except NoPreview as error:
        raise click.ClickException(f"{error} ({_file(settings)})") from error
    except VaultError as error:
        raise click.ClickException(f"the stored secrets cannot be read, and so not be blanked: {error}") from error


async def _known(settings: Settings) -> dict[str, Known]:
    async with _connections(settings) as (_, connections):
        return await connections.known()


@asynccontextmanager
async def _connections(settings: Settings) -> AsyncGenerator[tuple[SqliteJournal, Connections]]:
    """The relay's journal, read beside it, and its connections. Where no relay has run yet, there is nothing stored."""
    hide([settings.beatapi_api_key, *settings.beatapi_webhook_secret, *settings.api_keys])
    with TemporaryDirectory() as nothing:
        there = _remembers(settings)
        journal = SqliteJournal.inspect(_file(settings)) if there else SqliteJournal.open(Path(nothing) / "journal.db")
        try:
            async with httpx.AsyncClient() as client:
                vault, clock = keys_at_hand(settings.vault_key, settings.vault_path), SystemClock()
                yield journal, Connections(journal, clock, vault, discover()[0], settings.connections, client)
        finally:
            await journal.close()


def _file(settings: Settings) -> Path:
    return settings.data / "journal.db"


def _remembers(settings: Settings) -> bool:
    return _file(settings).exists()


def _settings(config: Path) -> Settings:
    try:
        return load(os.environ, config)
    except SettingsError as error:
        raise click.ClickException(f"the settings are wrong:\n{error}") from error


def _configs() -> dict[str, type[Struct]]:
    return {name: connector.Config for name, connector in discover()[0].items()}


def _files(path: Path) -> list[Path]:
    return sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]


def _wrong(file: Path, known: Mapping[str, Known] | None) -> list[Problem]:
    """All that is wrong with one file, if it is text at all."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return [Problem(str(file), 1, 1, f"the file is not UTF-8 text: {error.reason}")]
    return check_text(text, str(file), _configs(), known)[1]


def _read(path: Path) -> list[Recipe]:
    try:
        if path.is_dir():
            return list(load_folder(path))
        return [parse(path.read_text(encoding="utf-8"), str(path))]
    except RecipeErrors as errors:
        raise click.ClickException(_listed(errors.problems)) from errors
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8 text: {error.reason}") from error


def _listed(problems: list[Problem]) -> str:
    return "the recipes have problems:\n" + "\n".join(map(str, problems))
