"""Puts a copy back, and sees to it that nothing is paid for or delivered twice because of what it has forgotten.

Everything is made ready beside the journal; one rename at the end makes it the journal. Before that moment nothing has
changed but that the store may have more files.
"""

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from relay.journal import (
    Held,
    Restored,
    StoredFile,
    adapt,
    alone,
    copy_journal,
    last_word,
    remove,
    stored_files,
    swap_in,
)
from relay.settings import Settings

from .files import Files, copy_file, folders_to_disk
from .take import JOURNAL, KEY, MANIFEST, MEDIA, SHEETS, BackupError, Taken, Tell


class PutBack(Struct, kw_only=True):
    """What a restore did."""

    restored: Restored
    held: Held
    media: Files
    """Those that the journal speaks of: in the store now, and lacking."""
    aside: Path | None
    """Where the journal that was there is now."""
    key: bool
    """Whether the vault's key came with the copy."""


def put_back(settings: Settings, source: Path, tell: Tell, *, replace: bool = False) -> PutBack:
    """Make the copy in ``source`` (a folder of ``beatrelay backup``, or a journal alone) the journal of this relay,
    which must not serve. ``replace``: also if there is one, which is moved aside; it may be ``source`` itself, a copy
    that was put there by hand. Raises :class:`BackupError` or
    :class:`relay.journal.JournalError`; then the journal is as it was."""
    taken, copied = _manifest(source), source / JOURNAL if source.is_dir() else source
    path, part = settings.data / JOURNAL, settings.data / f".{JOURNAL}.part"
    with alone(path):
        _refuse(path, replace=replace)
        remove(part)
        try:
            copy_journal(copied, part, partial(tell, "journal"))
            taken_at = taken.taken_at if taken else last_word(part) or copied.stat().st_mtime
            restored = Restored(time.time(), taken_at)
            held = adapt(part, restored, path)
            media = _media(source / MEDIA, settings.data / MEDIA, part, tell)
            _sheets(source / SHEETS, settings.data / SHEETS)
            key = _key(source / KEY, settings)
            aside = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
            there = path.exists()
            swap_in(path, part, aside)
        finally:
            remove(part)
    return PutBack(restored=restored, held=held, media=media, aside=aside if there else None, key=key)


def _manifest(source: Path) -> Taken | None:
    if not source.is_dir():
        return None
    try:
        return msgspec.json.decode((source / MANIFEST).read_bytes(), type=Taken)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupError(
            f"{source} is no folder that `beatrelay backup` made ({error}); of a copied data folder, name its {JOURNAL}"
        ) from error


def _refuse(path: Path, *, replace: bool) -> None:
    if path.exists() and not replace:
        raise BackupError(
            f"there is a journal at {path}; with --replace the copy takes its place, and it is kept under another name."
            " If it can still be read, it knows more than any copy"
        )


def _media(source: Path, store: Path, journal: Path, tell: Tell) -> Files:
    files, wanted = Files(), stored_files(journal)
    total = sum(file.size for file in wanted)
    for file in wanted:
        if _stored(file, source, store / file.path):
            files.add(file.size)
        else:
            files.lacking.append(file.path)
        tell("media", files.bytes, total)
    if store.is_dir():
        folders_to_disk(store)
    return files


def _stored(file: StoredFile, source: Path, target: Path) -> bool:
    """Whether a file is in the store now; what is there already is as good as the copy, for it never changes."""
    if target.is_file() and target.stat().st_size == file.size:
        return True
    if not (source / file.path).is_file():
        return False
    if copy_file(source / file.path, target) == (file.size, file.sha256):
        return True
    target.unlink()
    return False


def _sheets(source: Path, folder: Path) -> None:
    for file in sorted(source.iterdir()) if source.is_dir() else ():
        if not (folder / file.name).exists():
            copy_file(file, folder / file.name)


def _key(copy: Path, settings: Settings) -> bool:
    if settings.vault_key or settings.vault_path.exists() or not copy.is_file():
        return False
    copy_file(copy, settings.vault_path)
    settings.vault_path.chmod(0o600)
    return True
