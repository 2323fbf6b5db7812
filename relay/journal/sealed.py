"""Every value in the journal that is sealed, wherever it is."""

from collections.abc import Callable
from typing import Protocol

Reseal = Callable[[bytes, str], bytes]
"""(sealed value, its place) → the value to store in its stead."""


def place_of(table: str, *key: str) -> str:
    """What a sealed value is bound to: where it is stored."""
    return "/".join((table, *key))


class SealedStore(Protocol):
    """What the vault needs of a journal, besides the rooms that hold sealed values."""

    async def sample(self) -> list[tuple[bytes, str]]:
        """One sealed value and its place from each table that has any: enough to see whether the key fits."""
        ...

    async def reseal(self, renew: Reseal) -> int:
        """Replace every sealed value in one transaction; returns how many there are. If ``renew`` raises, nothing
        has changed."""
        ...
