"""One click is one click: what a form made, remembered for a moment, so that a second click gets the same answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
KEPT = 60.0
"""Seconds. Some answers hold a secret that is shown this once, so they are kept in memory and not for long."""


class Once:
    """Makes a thing once for each form that was shown."""

    def __init__(self) -> None:
        self._made: dict[str, asyncio.Future[Any]] = {}

    async def make(self, who: str, nonce: str, make: Callable[[], Awaitable[T]]) -> T:
        """What ``make`` gives, or gave for the same form of the same person; a refusal is given again, too."""
        key = f"{who} {nonce}"
        if not nonce or key not in self._made:
            self._made[key] = asyncio.ensure_future(make())
            asyncio.get_running_loop().call_later(KEPT, self._made.pop, key, None)
        return await asyncio.shield(self._made[key])
