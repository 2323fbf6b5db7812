"""Versions of recipe files, on SQLite."""

import sqlite3
from typing import TYPE_CHECKING

from .recipes import RecipeVersion
from .rows import insert, read, values

if TYPE_CHECKING:
    from .sqlite import SqliteJournal

_ADD = insert("recipe_versions", RecipeVersion)


class SqliteRecipes:
    """See :class:`relay.journal.recipes.RecipeVersions`."""

    def __init__(self, journal: "SqliteJournal") -> None:
        self._journal = journal

    async def add(self, version: RecipeVersion) -> None:
        await self._journal.write(lambda connection: connection.execute(_ADD, values(version)) and None)

    async def of(self, file: str, limit: int) -> list[RecipeVersion]:
        sql = "SELECT * FROM recipe_versions WHERE file = ? ORDER BY id DESC LIMIT ?"
        return await self._rows(sql, file, limit)

    async def files(self) -> list[str]:
        def query(connection: sqlite3.Connection) -> list[str]:
            return [file for (file,) in connection.execute("SELECT DISTINCT file FROM recipe_versions ORDER BY file")]

        return await self._journal.read(query)

    async def get(self, version_id: str) -> RecipeVersion | None:
        found = await self._rows("SELECT * FROM recipe_versions WHERE id = ?", version_id)
        return found[0] if found else None

    async def _rows(self, sql: str, *arguments: object) -> list[RecipeVersion]:
        def query(connection: sqlite3.Connection) -> list[RecipeVersion]:
            return [read(RecipeVersion, row) for row in connection.execute(sql, arguments)]

        return await self._journal.read(query)
