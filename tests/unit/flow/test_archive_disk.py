"""A finished file meets a disk that has no room for it."""

import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from connectors.base import Delivery, Wait
from relay.flow.archive import DISK_AGAIN, Archive, MediaStore, NoConfig
from relay.flow.notes import JournalNotes
from relay.journal import SqliteJournal
from relay.vault import Vault, new_key
from tests.virtual import VirtualClock

pytestmark = pytest.mark.anyio

VIDEO = b"\x00\x00\x00\x18ftypmp42" + bytes(1_000_000)


async def video() -> AsyncIterator[bytes]:
    yield VIDEO


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Writing more than ``size`` bytes to a file fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    yield journal
    await journal.close()


async def test_no_half_file_stays_nothing_is_counted_and_readiness_can_tell(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    clock, store = VirtualClock(), MediaStore(tmp_path / "media")
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=video()))
    ) as client:
        archive = Archive(store, journal, clock, client, 2**30)
        media = {"url": "https://media.example.com/1.mp4", "mime_type": "video/mp4"}
        notes = JournalNotes(journal, clock, Vault([new_key()]), "dlv_1")
        delivery = Delivery(
            key="dlv_1",
            attempt=1,
            at=0,
            event={"task": {"id": "task_1", "output": {"media": [media]}}, "revision": 1},
            connection={},
            http=client,
            notes=notes,
            task_notes=notes,
        )
        with no_file_beyond(600_000), pytest.raises(Wait, match="the media store could not write: the file would be"):
            await archive.deliver(NoConfig(), delivery)
        assert not [path for path in store.root.rglob("*") if path.is_file()]
        assert "larger than the system allows" in (store.trouble(clock.now()) or "")
        clock.advance(DISK_AGAIN)
        await archive.deliver(NoConfig(), delivery)
    assert store.trouble(clock.now()) is None
    assert [path.read_bytes() for path in store.root.rglob("*.mp4")] == [VIDEO]


def test_a_trouble_that_nobody_met_again_is_forgotten(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    store.failed("the disk is full", 100.0)
    assert store.trouble(101.0) == "the disk is full"
    assert store.trouble(1000.0) is None
