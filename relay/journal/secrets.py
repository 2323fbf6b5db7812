"""The relay's own secrets that people give it while it runs, sealed."""

from typing import Protocol


class SecretStore(Protocol):
    """Sealed values by name; the vault's place of one is ``secrets/NAME``."""

    async def secret(self, name: str) -> bytes | None: ...

    async def put_secret(self, name: str, value: bytes | None, now: float) -> None:
        """Write it, or with ``None`` forget it; durable when this returns."""
        ...
