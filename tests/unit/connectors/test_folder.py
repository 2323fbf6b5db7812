"""The ``folder`` connector, on a real disk."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from connectors.base import Delivery, Outcome, Reject, Retry
from connectors.files import safe_join, write_atomically
from connectors.folder import Folder, FolderConfig
from tests.notes import MemoryNotes

pytestmark = pytest.mark.anyio


@dataclass
class Bytes:
    """A file in memory."""

    content: bytes
    torn: bool = False
    name: str = "v.mp4"
    mime_type: str = "video/mp4"

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            whole = self.content[:-1] if self.torn else self.content
            for start in range(0, len(whole), 1000):
                yield whole[start : start + 1000]

        yield chunks()


async def deliver(root: Path | str, path: str, media: Bytes | None, key: str = "dlv_1") -> Outcome:
    async with httpx.AsyncClient() as client:
        connection = {"root": str(root)} if root else {}
        notes = MemoryNotes()
        delivery = Delivery(
            key=key,
            attempt=1,
            at=1,
            event={},
            connection=connection,
            http=client,
            notes=notes,
            task_notes=notes,
            media=media,
        )
        return await Folder().deliver(FolderConfig(path=path), delivery)


async def test_a_file_is_copied_whole(tmp_path: Path) -> None:
    media = Bytes(os.urandom(12_345))
    outcome = await deliver(tmp_path / "new", "2026/07/a.mp4", media)
    target = tmp_path / "new" / "2026" / "07" / "a.mp4"
    assert target.read_bytes() == media.content
    assert (outcome.url, outcome.detail["bytes"], outcome.detail["sha256"]) == (target.as_uri(), 12_345, media.sha256)
    assert [path.name for path in target.parent.iterdir()] == ["a.mp4"]


async def test_a_repeat_writes_nothing(tmp_path: Path) -> None:
    media = Bytes(b"video")
    await deliver(tmp_path, "a.mp4", media)
    before = (tmp_path / "a.mp4").stat()
    outcome = await deliver(tmp_path, "a.mp4", media)
    assert outcome.detail["already"] is True
    after = (tmp_path / "a.mp4").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_another_video_of_the_same_name_is_kept_beside_it(tmp_path: Path) -> None:
    first, second = Bytes(b"first"), Bytes(b"second")
    await deliver(tmp_path, "a.mp4", first)
    outcome = await deliver(tmp_path, "a.mp4", second, key="dlv_2")
    assert (tmp_path / "a.mp4").read_bytes() == b"first"
    beside = tmp_path / f"a-{second.sha256[:8]}.mp4"
    assert beside.read_bytes() == b"second"
    assert outcome.detail["path"] == str(beside)
    again = await deliver(tmp_path, "a.mp4", second, key="dlv_2")
    assert again.detail["already"] is True
    assert len(list(tmp_path.iterdir())) == 2


async def test_what_a_crash_left_over_is_used_up(tmp_path: Path) -> None:
    (tmp_path / ".dlv_1.part").write_bytes(b"half of it")
    await deliver(tmp_path, "a.mp4", Bytes(b"video"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


async def test_a_torn_source_is_tried_again_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Retry, match="changed while it was copied"):
        await deliver(tmp_path, "a.mp4", Bytes(b"video", torn=True))
    assert list(tmp_path.iterdir()) == []


async def test_no_file_and_no_root_are_dead_letters(tmp_path: Path) -> None:
    with pytest.raises(Reject, match="no file to copy"):
        await deliver(tmp_path, "a.mp4", None)
    with pytest.raises(Reject, match="has no `root`"):
        await deliver("", "a.mp4", Bytes(b"video"))


async def test_a_place_that_cannot_be_written_to_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Retry, match="could not be written to"):
        await deliver(tmp_path / "file", "a.mp4", Bytes(b"video"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a/..",
        "C:/a",
        "a\0b",
        "con.mp4",
        "a/NUL",
        "x" * 256,
        "a./b",
        "a ",
        "..\\b",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Reject):
        safe_join(tmp_path, path)


def test_a_link_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "away").symlink_to(tmp_path)
    with pytest.raises(Reject, match="through a link"):
        safe_join(tmp_path / "root", "away/a.mp4")


@pytest.mark.parametrize("path", ["a.mp4", "2026/07/Ünï 歌.mp4", "a/b/c/d", ".hidden", "a..b"])
def test_a_good_path_is_fine(tmp_path: Path, path: str) -> None:
    assert safe_join(tmp_path, path).is_relative_to(tmp_path)


FULL = """
import asyncio, resource, sys
from pathlib import Path
from connectors.base import Retry
from tests.unit.connectors.test_folder import Bytes, deliver
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
root = Path(sys.argv[1])
try:
    asyncio.run(deliver(root, "a.mp4", Bytes(b"x" * 50_000)))
except Retry as error:
    print("retry:", error, [path.name for path in root.iterdir()])
"""


def test_a_disk_that_is_full_is_tried_again_and_leaves_no_half_file(tmp_path: Path) -> None:
    """A real limit on the size of files, in a process of its own, stands in for a full disk."""
    run = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("retry:")
    assert run.stdout.strip().endswith("[]")


async def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"one"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await write_atomically(tmp_path / "a", breaks(), key="k")
    assert list(tmp_path.iterdir()) == []

    async def forever() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0)

    writing = asyncio.ensure_future(write_atomically(tmp_path / "a", forever(), key="k"))
    while not list(tmp_path.iterdir()):
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert list(tmp_path.iterdir()) == []


async def check(root: Path | str) -> str:
    async with httpx.AsyncClient() as client:
        return await Folder().check({"root": str(root)}, client)


async def test_a_check_writes_for_a_try_and_leaves_nothing(tmp_path: Path) -> None:
    assert (await check(tmp_path)).startswith(f"files go to {tmp_path}; ")
    assert (await check(tmp_path / "a/b")).startswith(
        f"files go to {tmp_path}/a/b, which is made with the first of them; "
    )
    assert list(tmp_path.iterdir()) == []


async def test_a_check_says_the_whole_path_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"files go to {tmp_path}/videos," in await check("videos")


async def test_a_check_says_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for root, why in ((tmp_path / "file", "Not a directory"), ("/proc/nowhere", "/proc"), ("", "`root` is empty")):
        with pytest.raises(Reject, match=why):
            await check(root)
