"""Takes a copy: the journal as it stands at one moment, then the files that it speaks of.

The order matters. A stored file never changes under its name and is there before the journal says so; copied after the
journal, each of them is found. The copy is made under another name, and gets its own once all of it is on disk.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from relay import __version__
from relay.journal import StoredFile, copy_journal, stored_files, to_disk
from relay.settings import Settings

from .files import Files, copy_file, folders_to_disk

JOURNAL, MEDIA, SHEETS, KEY, MANIFEST = "journal.db", "media", "batches", "vault.key", "backup.json"

Tell = Callable[[str, int, int], None]
"""(what is copied, bytes done, bytes in all)"""


class BackupError(Exception):
    """No copy can be taken, or none put back; the message says why and what to do."""


class Taken(Struct, kw_only=True):
    """What a copy holds: the file ``backup.json`` in it."""

    taken_at: float
    """The moment that the journal in it is of (Unix seconds)."""
    version: str
    """The beatrelay that took it."""
    journal_bytes: int
    media: Files | None
    """Finished videos; ``null``: left out."""
    sheets: Files
    """Uploaded sheets of batches."""
    vault_key: bool
    """Whether the key that opens the sealed values is in it."""


def take(settings: Settings, destination: Path, tell: Tell, *, media: bool = True, key: bool = False) -> Taken:
    """Copy what the relay remembers into the new folder ``destination``; a relay may serve meanwhile. ``key``: the
    vault's key file too. Raises :class:`BackupError` or :class:`relay.journal.JournalError`; then there is no folder.
    """
    if destination.exists():
        raise BackupError(f"{destination} is there already; a copy never replaces another: name a new folder")
    if key and (settings.vault_key or not settings.vault_path.exists()):
        where = "BEATRELAY_VAULT_KEY" if settings.vault_key else f"nowhere ({settings.vault_path} does not exist)"
        raise BackupError(f"the vault's key is in no file that could be copied; it stands in {where}")
    with _unfinished(destination) as folder:
        taken_at = time.time()
        copy_journal(settings.data / JOURNAL, folder / JOURNAL, partial(tell, "journal"))
        wanted = stored_files(folder / JOURNAL)
        taken = Taken(
            taken_at=taken_at,
            version=__version__,
            journal_bytes=(folder / JOURNAL).stat().st_size,
            media=_media(settings.data / MEDIA, folder / MEDIA, wanted, tell) if media else None,
            sheets=_sheets(settings.data / SHEETS, folder / SHEETS),
            vault_key=key,
        )
        if key:
            copy_file(settings.vault_path, folder / KEY)
            (folder / KEY).chmod(0o600)
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(taken), indent=2))
        to_disk(folder / MANIFEST)
        folders_to_disk(folder)
        folder.rename(destination)
        to_disk(destination.parent)
    return taken


@contextmanager
def _unfinished(destination: Path) -> Generator[Path]:
    """An empty folder beside ``destination`` that nobody else writes to; what is left of it at the end is removed. One
    that a killed copy left is used again."""
    folder = destination.with_name(f".{destination.name}.part")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError(f"somebody else is making {destination} just now") from None
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield folder
        finally:
            if folder.exists():
                shutil.rmtree(folder)
    finally:
        os.close(lock)


def _media(source: Path, target: Path, wanted: list[StoredFile], tell: Tell) -> Files:
    files, total = Files(), sum(file.size for file in wanted)
    free = shutil.disk_usage(target.parent).free
    if total > free:
        raise BackupError(
            f"the media need {total:,} bytes, and {target.parent.parent} has {free:,} left; name a folder elsewhere, or"
            " leave them out with --no-media and copy the folder yourself"
        )
    for file in wanted:
        try:
            copied = copy_file(source / file.path, target / file.path)
        except FileNotFoundError:
            copied = (0, "")
        if copied == (file.size, file.sha256):
            files.add(file.size)
        else:
            (target / file.path).unlink(missing_ok=True)
            files.lacking.append(file.path)
        tell("media", files.bytes, total)
    return files


def _sheets(source: Path, target: Path) -> Files:
    files = Files()
    for file in sorted(source.iterdir()) if source.is_dir() else ():
        if file.is_file() and not file.name.startswith("."):
            files.add(copy_file(file, target / file.name)[0])
    return files
