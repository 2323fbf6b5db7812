"""Dead letters that a person put aside: they are no longer what has not arrived, and can still be sent again."""

from collections.abc import Sequence
from typing import Protocol


class Dismissals(Protocol):
    """What nobody has to see to any more."""

    async def behind(self, ids: Sequence[str]) -> dict[str, str]:
        """The steps that wait behind these dead letters, by id, each with its connector: without them they never go."""
        ...

    async def dismiss(self, ids: Sequence[str], now: float, *, reason: str, by: str) -> None:
        """Put dead letters aside together with what waits behind them, each with a line in its history. What is no dead
        letter any more is left out."""
        ...

    async def recall(self, ids: Sequence[str], now: float) -> None:
        """Make dismissed ones the dead letters they were; what was behind them waits for them again, unless something
        else that it waits for is still put aside."""
        ...
