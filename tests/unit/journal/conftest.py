"""What every test of the journal starts from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.journal import SqliteJournal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    yield journal
    await journal.close()
