"""Recipes as files that people change from the dashboard: whole or not at all, checked before, and never lost."""

import asyncio
import hashlib
import os
import re
from pathlib import Path

from msgspec import Struct

from relay.clock import Clock
from relay.journal import DeliveryFilter, DeliveryState, Journal
from relay.journal.recipes import RecipeVersion
from relay.recipe import Problem, Recipe, RecipeErrors, parse
from relay.recipe.document import MOST_BYTES

from .shelf import Shelf
from .workbench import Workbench

HISTORY = 50
"""Versions that the page of a file shows."""
_UNDER_WAY: list[DeliveryState] = ["waiting", "due", "leased", "parked"]
_NEW = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\.yaml", re.ASCII)
_ENABLED = re.compile(r"^enabled:.*$", re.MULTILINE)
_NAME = re.compile(r"^name:.*$", re.MULTILINE)


class RecipeTrouble(Exception):
    """It cannot be done; the message says why, for people. ``status`` is the HTTP status."""

    status = 409


class NoSuchFile(RecipeTrouble):
    """The folder has no such recipe."""

    status = 404


class Refused(RecipeTrouble):
    """The text cannot be used as it is. ``doubtful``: it can be read, and only what it speaks of is missing."""

    def __init__(self, problems: list[Problem], *, doubtful: bool) -> None:
        super().__init__("Nothing was saved: the recipes from before go on.")
        self.problems = problems
        self.doubtful = doubtful


class ChangedMeanwhile(RecipeTrouble):
    """The file is not any more what the editor began with; ``text`` is what it says now."""

    def __init__(self, text: str) -> None:
        super().__init__("The file was changed while you wrote. Nothing was saved, and nothing is lost.")
        self.text = text


class Removal(Struct):
    """What removing a recipe's file means."""

    file: str
    recipe: str | None
    """The name of the recipe that it holds; ``null`` if none of this file is in use."""
    under_way: int
    """Deliveries that are not over: they go on, with the text that they were planned with."""
    dead: int
    """Dead letters: they can still be sent again as they were, not any more as new ones."""
    asked_for: int
    """Tasks that are not over and were asked for with this recipe by name. One that named no other is *unrouted* when
    it finishes."""
    text_hash: str
    """SHA-256 (hex) of what the file says."""
    done: bool = False
    still_used: bool = False
    """It is done, but another file of the folder cannot be read: until it can, the recipes from before go on."""


class RecipeFiles:
    """The folder of recipes, for reading and writing. Every save is kept in the journal with who made it."""

    def __init__(self, journal: Journal, clock: Clock, folder: Path, shelf: Shelf, workbench: Workbench) -> None:
        self._store = journal.recipes
        self._deliveries = journal.deliveries
        self._tasks = journal.tasks
        self._clock = clock
        self._folder = folder
        self._shelf = shelf
        self._workbench = workbench
        self._writing = asyncio.Lock()

    async def names(self) -> list[str]:
        """Every recipe file, in order."""
        return await asyncio.to_thread(_names, self._folder)

    async def read(self, file: str) -> str:
        """What a file says. Raises :class:`NoSuchFile`."""
        if file not in await self.names():
            raise NoSuchFile(f"There is no recipe file `{file[:80]}`.")
        try:
            return await asyncio.to_thread((self._folder / file).read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeTrouble(f"`{file[:80]}` cannot be read: {error}.") from error

    async def check(self, file: str, text: str) -> tuple[Recipe | None, list[Problem]]:
        """The recipe that a text is, and what is wrong with it as this file; also beside the others."""
        if len(text.encode()) > MOST_BYTES:
            return None, [Problem(file, 1, 1, f"a recipe has at most {MOST_BYTES // 1024} KiB")]
        recipe, problems = await self._workbench.check_text(text, file)
        twins = [one for one in self._shelf.recipes if recipe and one.name == recipe.name and _other(one, file)]
        problems += [Problem(file, 1, 1, f"{Path(one.file).name} has the same name: {one.name!r}") for one in twins]
        return (None if twins else recipe), problems

    async def save(
        self, file: str, text: str, base: str, by: str, what: str = "saved", *, anyway: bool = False
    ) -> None:
        """Replace a file whole, or make it. ``base`` is the :func:`digest` of what it said before, empty for a new
        one. ``anyway``: also with doubts. It counts at once. Raises :class:`ChangedMeanwhile`, :class:`Refused`,
        and :class:`RecipeTrouble` where the folder cannot be written."""
        async with self._writing:
            before = await self._now(file)
            if digest(before) != base:
                raise ChangedMeanwhile(before or "")
            recipe, problems = await self.check(file, text)
            if recipe is None or (problems and recipe.enabled and not anyway):
                raise Refused(problems, doubtful=recipe is not None)
            if before is not None:
                await self._keep_foreign(file, before)
            await asyncio.to_thread(_write, self._folder / file, text)
            await self._keep(file, text, by, what)
            await self._shelf.refresh()

    async def switch(self, file: str, by: str, *, on: bool) -> None:
        """Set ``enabled:``, and leave every other line as it is. Raises as :meth:`save` does."""
        text = await self.read(file)
        wanted = switched(text, on=on)
        if wanted is None:
            raise RecipeTrouble(f"`enabled:` cannot be found in `{file}`; write it yourself, in the editor.")
        await self.save(file, wanted, digest(text), by, "switched on" if on else "switched off")

    async def effects(self, file: str) -> Removal:
        """What :meth:`remove` would mean now. Raises :class:`NoSuchFile`."""
        text = await self.read(file)
        name = next((one.name for one in self._shelf.recipes if not _other(one, file)), None)
        return Removal(
            file=file,
            recipe=name,
            under_way=await self._count(name, _UNDER_WAY),
            dead=await self._count(name, ["dead"]),
            asked_for=0 if name is None else await self._tasks.asking_for(name),
            text_hash=digest(text),
        )

    async def remove(self, file: str, base: str | None, by: str) -> Removal:
        """Take the file away; its text stays in the history, to be restored. ``base`` is the :func:`digest` of what was
        looked at, ``None`` for whatever it says. Raises :class:`ChangedMeanwhile`, :class:`NoSuchFile`, and
        :class:`RecipeTrouble` where the folder cannot be written."""
        async with self._writing:
            effects, text = await self.effects(file), await self.read(file)
            if base is not None and digest(text) != base:
                raise ChangedMeanwhile(text)
            await self._keep_foreign(file, text)
            await asyncio.to_thread(_unlink, self._folder / file)
            await self._keep(file, text, by, "removed")
            await self._shelf.refresh()
            effects.done = True
            effects.still_used = any(not _other(one, file) for one in self._shelf.recipes)
            return effects

    async def history(self, file: str) -> list[RecipeVersion]:
        """Newest first."""
        return await self._store.of(file, HISTORY)

    async def gone(self) -> list[str]:
        """The files that have a history and are not in the folder any more."""
        there = set(await self.names())
        return [file for file in await self._store.files() if file not in there]

    async def restore(self, file: str, version_id: str, by: str) -> None:
        """Write a former text again. Raises as :meth:`save` does."""
        version = await self._store.get(version_id)
        if version is None or version.file != file:
            raise NoSuchFile(f"`{file[:80]}` has no such version.")
        await self.save(file, version.text, digest(await self._now(file)), by, "restored", anyway=True)

    async def _now(self, file: str) -> str | None:
        if file in await self.names():
            return await self.read(file)
        if not _NEW.fullmatch(file):
            rule = "small letters, digits, `-` and `_`, and end in `.yaml`"
            raise RecipeTrouble(f"`{file[:80]}` cannot name a recipe file: names have {rule}.")
        return None

    async def _count(self, recipe: str | None, states: list[DeliveryState]) -> int:
        if recipe is None:
            return 0
        return sum((await self._deliveries.count(DeliveryFilter(recipe=recipe, states=states))).values())

    async def _keep_foreign(self, file: str, before: str) -> None:
        """What was changed in the folder itself is history too."""
        known = await self._store.of(file, 1)
        if not known or known[0].text != before:
            await self._keep(file, before, "", "found in the folder")

    async def _keep(self, file: str, text: str, by: str, what: str) -> None:
        version = RecipeVersion(
            id=self._clock.new_id("ver"), file=file, text=text, at=self._clock.now(), by=by, what=what
        )
        await self._store.add(version)


def digest(text: str | None) -> str:
    """Names a text; empty for none."""
    return hashlib.sha256(text.encode()).hexdigest() if text is not None else ""


def switched(text: str, *, on: bool) -> str | None:
    """The same recipe with ``enabled:`` set; ``None`` if it cannot be done by changing one line."""
    line = f"enabled: {'true' if on else 'false'}"
    if _ENABLED.search(text):
        made = _ENABLED.sub(line, text, count=1)
    else:
        made = _NAME.sub(lambda found: f"{found.group()}\n{line}", text, count=1)
    try:
        return made if parse(made, "").enabled is on else None
    except RecipeErrors:
        return None


def _other(recipe: Recipe, file: str) -> bool:
    return Path(recipe.file).name != file


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for one in entries if one.name.endswith((".yaml", ".yml")) and one.is_file())
    except OSError:  # there is no folder yet: then there are no recipes
        return []


def _unlink(target: Path) -> None:
    _refuse_link(target)
    try:
        target.unlink()
    except OSError as error:
        raise RecipeTrouble(f"`{target.name}` cannot be removed: {os.strerror(error.errno or 0)}.") from error


def _refuse_link(target: Path) -> None:
    if target.is_symlink():
        raise RecipeTrouble(f"`{target.name}` is a link to a file elsewhere; change it there.")


def _write(target: Path, text: str) -> None:
    """Whole and on disk, under its name or not at all."""
    unfinished = target.with_name(f".{target.name}.part")
    try:
        _refuse_link(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            unfinished.chmod(target.stat().st_mode & 0o777)
        unfinished.replace(target)
    except OSError as error:
        raise RecipeTrouble(f"`{target.name}` cannot be written: {os.strerror(error.errno or 0)}.") from error
