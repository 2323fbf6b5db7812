"""Files on their way into a copy and out of one: whole, on disk, and known by their digest."""

import hashlib
import os
from pathlib import Path

from msgspec import Struct, field

from relay.journal import to_disk

CHUNK = 1024 * 1024


class Files(Struct):
    """What was copied of one kind of files."""

    count: int = 0
    bytes: int = 0
    lacking: list[str] = field(default_factory=list[str])
    """Names of those that are not there, or are not what was stored once."""

    def add(self, size: int) -> None:
        """Count one."""
        self.count += 1
        self.bytes += size


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file: the target is whole and on disk, or as it was. Gives bytes and SHA-256 (hex)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.copy")
    digest, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as coming, unfinished.open("wb") as going:
            while chunk := coming.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                going.write(chunk)
            going.flush()
            os.fsync(going.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


def folders_to_disk(root: Path) -> None:
    """Flush the names in a folder and in those below it."""
    for folder, _, _ in os.walk(root):
        to_disk(Path(folder))
