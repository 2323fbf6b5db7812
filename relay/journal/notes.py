"""What connectors note between two steps of their work."""

from typing import Protocol


class NoteStore(Protocol):
    """Notes by scope and name. Values are bytes: whoever writes them decides how they are protected."""

    async def get(self, scope: str, name: str) -> bytes | None: ...

    async def put(self, scope: str, name: str, value: bytes, now: float) -> None:
        """Write a note, or write it anew; durable when this returns."""
        ...
