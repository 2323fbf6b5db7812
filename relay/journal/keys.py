"""API keys as the journal keeps them: what they may do and how much, never the key itself."""

from typing import Protocol

from msgspec import Struct


class KeyRow(Struct, kw_only=True):
    """One API key. Of the key itself only ``digest`` is kept, which nobody can turn back into it."""

    id: str
    name: str
    digest: str
    """SHA-256 of the key, lowercase hex."""
    hint: str
    """The key's first characters, by which a person recognises it."""
    scopes: str
    """What it may do: words, separated by spaces."""
    created_at: float
    per_minute: int | None = None
    """Most requests a minute; ``None``: as many as it likes."""
    share: int | None = None
    """Most tasks of this key that may run at the provider at once; ``None``: as many as there are slots."""
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    """About when it was last used; not written down for every request."""

    def usable(self, now: float) -> bool:
        """Whether it opens anything at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyStore(Protocol):
    """API keys; none is ever deleted, so that what a key did stays told."""

    async def add(self, key: KeyRow) -> None: ...

    async def by_digest(self, digest: str) -> KeyRow | None:
        """The key with this digest, usable or not."""
        ...

    async def get(self, key_id: str) -> KeyRow | None: ...

    async def all(self) -> list[KeyRow]:
        """Every key, the oldest first."""
        ...

    async def revoke(self, key_id: str, at: float) -> KeyRow | None:
        """End a key; one that is revoked already stays as it is. ``None``: there is no such key."""
        ...

    async def used(self, key_id: str, at: float) -> None:
        """Remember when a key was last used."""
        ...
