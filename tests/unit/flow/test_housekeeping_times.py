"""When housekeeping is done."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from relay.flow import housekeeping
from relay.flow.housekeeping import Housekeeping
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio


class Books:
    """Knows whether they were compared."""

    def __init__(self) -> None:
        self.compared = asyncio.Event()

    async def check(self) -> None:
        self.compared.set()


async def test_the_books_are_compared_at_the_start_however_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) - timedelta(seconds=30)

    monkeypatch.setattr(housekeeping, "datetime", Earlier)
    books = Books()
    nothing = cast("Any", None)
    keeping = Housekeeping(nothing, VirtualClock(), 90, cast("Any", books))
    monkeypatch.undo()
    keeping.start()
    try:
        async with asyncio.timeout(20):
            await books.compared.wait()
    finally:
        keeping.stop()
