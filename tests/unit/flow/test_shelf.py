"""Recipes taken anew from their folder: at once, all or none, and never without their text on disk."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.flow.shelf import LOOK, Shelf
from relay.journal import SqliteJournal
from relay.recipe import load_folder
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

RECIPE = 'name: Tell\non: task.succeeded\nsteps: { tell: { use: http, with: { url: "https://x.example" } } }\n'


class Desk:
    """A folder with one recipe and the shelf that watches it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recipes"
        self.folder.mkdir()
        self.write("a", RECIPE)
        self.journal = SqliteJournal.open(folder / "journal.db")
        self.shelf = Shelf(self.journal, VirtualClock(), self.folder, load_folder(self.folder))

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(text)

    def names(self) -> list[str]:
        return [recipe.name for recipe in self.shelf.recipes]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    await desk.shelf.start()
    yield desk
    await desk.journal.close()


async def test_an_edited_recipe_counts_and_its_text_is_kept_before(desk: Desk) -> None:
    (first,) = desk.shelf.recipes
    desk.write("a", RECIPE.replace("Tell", "Told"))
    assert await desk.shelf.step() == LOOK
    (second,) = desk.shelf.recipes
    assert (desk.names(), desk.shelf.problems) == (["Told"], [])
    for recipe in (first, second):
        assert await desk.journal.deliveries.recipe(recipe.hash) == (recipe.file, recipe.source)


async def test_a_new_file_and_a_removed_one_count(desk: Desk) -> None:
    desk.write("b", RECIPE.replace("Tell", "Second"))
    await desk.shelf.step()
    assert desk.names() == ["Tell", "Second"]
    (desk.folder / "a.yaml").unlink()
    await desk.shelf.step()
    assert desk.names() == ["Second"]


async def test_one_bad_file_keeps_all_the_old_ones_and_is_told_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.write("b", RECIPE.replace("Tell", "Second"))
    desk.write("c", RECIPE.replace("use:", "uze:"))
    with caplog.at_level(logging.ERROR, "beatrelay"):
        for _ in range(3):
            await desk.shelf.step()
    assert desk.names() == ["Tell"]
    (line,) = [record.message for record in caplog.records]
    assert "the old ones go on" in line
    assert {Path(problem.file).name for problem in desk.shelf.problems} == {"c.yaml"}
    desk.write("c", RECIPE.replace("Tell", "Third"))
    await desk.shelf.step()
    assert (desk.names(), desk.shelf.problems) == (["Tell", "Second", "Third"], [])


async def test_a_change_within_the_same_size_counts_by_its_time(desk: Desk) -> None:
    before = (desk.folder / "a.yaml").stat()
    desk.write("a", RECIPE.replace("Tell", "Toll"))
    os.utime(desk.folder / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    await desk.shelf.step()
    assert desk.names() == ["Toll"]
