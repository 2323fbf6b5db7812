"""Every value in the journal that is sealed, wherever it is."""

from collections.abc import Callable, Collection
from typing import Protocol

Reseal = Callable[[bytes, str], bytes]
"""(sealed value, its place) → the value to store in its stead."""


LOST = b""
"""What stands where a secret was that no key opened any more."""


def place_of(table: str, *key: str) -> str:
    """What a sealed value is bound to: where it is stored."""
    return "/".join((table, *key))


class SealedStore(Protocol):
    """What the vault needs of a journal, besides the rooms that hold sealed values."""

    @property
    def at_start(self) -> bool:
        """Whether anything was sealed when the journal was opened: then a key is needed, and a new one is no use."""
        ...

    async def all(self) -> list[tuple[bytes, str]]:
        """Every sealed value and its place."""
        ...

    async def forget(self, places: Collection[str], now: float) -> int:
        """Forget what is sealed at ``places``, in one transaction. Connections and endpoints stay, their secrets
        :data:`LOST`; secrets of the relay and connectors' notes go. A delivery under way whose notes go may have
        arrived, and nobody could tell: it becomes a dead letter. Returns how many do."""
        ...

    async def sample(self) -> list[tuple[bytes, str]]:
        """One sealed value and its place from each table that has any: enough to see whether the key fits."""
        ...

    async def reseal(self, renew: Reseal) -> int:
        """Replace every sealed value in one transaction; returns how many there are. If ``renew`` raises, nothing
        has changed."""
        ...
