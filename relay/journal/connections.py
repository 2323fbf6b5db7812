"""Connections that people made while the relay ran."""

from typing import Protocol

from msgspec import Struct


class ConnectionRow(Struct, kw_only=True):
    """A stored connection."""

    name: str
    connector: str
    settings: str
    """What may be seen: a JSON object of text."""
    secrets: bytes | None
    """The rest: the same, sealed."""
    updated_at: float


class ConnectionStore(Protocol):
    """Stored connections by name."""

    async def all(self) -> list[ConnectionRow]:
        """In order of their names."""
        ...

    async def get(self, name: str) -> ConnectionRow | None: ...

    async def put(self, row: ConnectionRow) -> None:
        """Write a connection, or write it anew."""
        ...

    async def remove(self, name: str) -> bool:
        """False if there is none."""
        ...
