"""What recipe files said, each time somebody saved one."""

from typing import Protocol

from msgspec import Struct


class RecipeVersion(Struct, kw_only=True):
    """One saved text of one file."""

    id: str
    file: str
    """Its name in the folder of recipes."""
    text: str
    at: float
    by: str
    """Who saved it; empty for what was changed in the folder itself."""
    what: str
    """What was done, in a word or two."""


class RecipeVersions(Protocol):
    """The history of recipe files."""

    async def add(self, version: RecipeVersion) -> None: ...

    async def of(self, file: str, limit: int) -> list[RecipeVersion]:
        """Newest first."""
        ...

    async def files(self) -> list[str]:
        """The names of all files that have a history, in order."""
        ...

    async def get(self, version_id: str) -> RecipeVersion | None: ...
