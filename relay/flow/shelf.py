"""The recipes in use, taken anew from their folder whenever a file in it changes: all of them, or none."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from relay.clock import Clock
from relay.journal import Journal
from relay.recipe import Problem, RecipeErrors, RecipeSet, UnknownRecipe, load_folder

from .loop import Loop, log

LOOK = 2.0
"""Seconds between two looks at the folder: names, sizes and times of change, not contents."""

Sight = tuple[tuple[str, int, int], ...]


class Shelf(Loop):
    """Holds the recipes. A change counts once every file in the folder can be read; until then the old ones go on, and
    :attr:`problems` says what is wrong."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        folder: Path,
        recipes: RecipeSet,
    ) -> None:
        super().__init__("recipes", clock)
        self._journal = journal
        self._folder = folder
        self._seen: Sight | None = None
        self.recipes = recipes
        self.problems: list[Problem] = []
        """What keeps the folder, as it is now, from being used."""

    async def start(self) -> None:
        """Keep the text of the recipes that are in use from the beginning."""
        self._seen = await asyncio.to_thread(look, self._folder)
        await self._keep(self.recipes)

    async def step(self) -> float:
        sight = await asyncio.to_thread(look, self._folder)
        if sight != self._seen:
            self._seen = sight
            await self._take()
        return LOOK

    async def refresh(self) -> None:
        """Look at the folder now: whoever changed it wants to see what became of it."""
        self._seen = await asyncio.to_thread(look, self._folder)
        await self._take()

    async def drain(self) -> None:
        """Nothing is under way between two steps."""

    def choose(self, words: Sequence[str]) -> tuple[str, ...]:
        """The names of recipes that somebody chose for a request. Raises :class:`UnknownRecipe` for one that there is
        not, or that a request cannot start."""
        chosen = [self.recipes.named(word) for word in words]
        for recipe in chosen:
            if not recipe.enabled or recipe.schedule:
                why = "is started by the hour" if recipe.schedule else "is switched off"
                raise UnknownRecipe(f"the recipe {recipe.name!r} {why}, so no request can start it")
        return tuple(dict.fromkeys(recipe.name for recipe in chosen))

    async def _take(self) -> None:
        try:
            recipes = await asyncio.to_thread(load_folder, self._folder)
        except RecipeErrors as errors:
            self.problems = errors.problems
            log.error("the recipes were changed, but cannot be used; the old ones go on:\n%s", errors)
            return
        await self._keep(recipes)
        self.recipes, self.problems = recipes, []
        log.info("the recipes were changed: %d are in use", len(recipes))

    async def _keep(self, recipes: RecipeSet) -> None:
        """A delivery may be planned only by a recipe whose text is on disk."""
        for recipe in recipes:
            await self._journal.deliveries.keep_recipe(recipe.hash, recipe.name, recipe.file, recipe.source)


def look(folder: Path) -> Sight:
    """What the folder's recipes look like from outside; empty if it is not there."""
    found: list[tuple[str, int, int]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((".yaml", ".yml")):
                    state = entry.stat()
                    found.append((entry.name, state.st_mtime_ns, state.st_size))
    except FileNotFoundError:  # removed while it was looked at: the next look sees what is left
        return tuple(sorted(found))
    return tuple(sorted(found))
