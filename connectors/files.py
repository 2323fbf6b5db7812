"""Writing files so that nobody ever sees half of one, and nobody writes outside their folder."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from .base import Reject

_RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{n}" for device in ("com", "lpt") for n in range(1, 10))}


def safe_join(root: Path, relative: str) -> Path:
    """``relative`` inside ``root``. Raises :class:`Reject` for a path that leads, or could lead, elsewhere."""
    path = PurePosixPath(relative.replace("\\", "/"))
    if not relative or path.is_absolute() or ":" in relative.split("/", 1)[0]:
        raise Reject(f"the path {relative!r} must be relative and not empty")
    for part in path.parts:
        if part == ".." or any(ord(character) < 32 for character in part):
            raise Reject(f"the path {relative!r} has a part that leads elsewhere: {part!r}")
        if part.partition(".")[0].lower() in _RESERVED or part.endswith((" ", ".")) or len(part.encode()) > 255:
            raise Reject(f"the path {relative!r} has a part that is no file name on every system: {part[:80]!r}")
    target = root.joinpath(*path.parts)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise Reject(f"the path {relative!r} leads out of {root} through a link")
    return target


async def write_atomically(target: Path, chunks: AsyncIterator[bytes], *, key: str) -> tuple[int, str]:
    """Stream ``chunks`` to ``target``: whole and on disk, or not there at all. Returns size and SHA-256 (hex).

    ``key`` names the unfinished file beside it, so that a repeat after a crash overwrites what is left over.
    """
    unfinished = target.with_name(f".{key}.part")
    digest, size = hashlib.sha256(), 0
    file = unfinished.open("wb")
    try:
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(_to_disk, file.fileno(), file.flush)
        file.close()
        await asyncio.to_thread(_put_in_place, unfinished, target)
    except BaseException:
        with contextlib.suppress(OSError):  # what is buffered cannot be written either, and is not wanted
            file.close()
        unfinished.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


def _to_disk(number: int, flush: object) -> None:
    assert callable(flush)
    flush()
    os.fsync(number)


def _put_in_place(unfinished: Path, target: Path) -> None:
    unfinished.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
