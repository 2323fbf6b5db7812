"""The folder that a journal lies in: made, found fit to write in, and locked for one relay."""

import errno
import fcntl
import os
from pathlib import Path

from relay.disk import trouble_of

from .base import InUse, JournalError

_ELSEWHERE = "or set BEATRELAY_DATA to another folder"


def take(path: Path) -> int:
    """Make the folder of the journal ``path`` and lock it; closing the descriptor lets go of the lock.

    Raises :class:`InUse` when another relay has it, :class:`JournalError` with what to do when it cannot be written in.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(unfit(path.parent, error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise InUse(
            f"another relay is using {path}; stop it first, or give this one its own folder with BEATRELAY_DATA"
        ) from None
    return lock


def unfit(folder: Path, error: OSError) -> str:
    """Why ``folder`` cannot hold a journal, and what to do."""
    user, group = os.geteuid(), os.getegid()
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"the data folder {folder} cannot be written in by user {user} (group {group}): {error.strerror}. Give"
            f" it to that user with `chown -R {user}:{group} {folder}`, {_ELSEWHERE}; for a container, do so with the"
            " folder or volume that is mounted there"
        )
    if error.errno == errno.EROFS:
        return (
            f"the data folder {folder} lies on a read-only file system (user {user} asked to write). Mount it for"
            f" writing, {_ELSEWHERE}; a container needs a volume there, without `:ro`"
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"the data folder {folder} is a file, or leads through one; move the file away, {_ELSEWHERE}"
    why = trouble_of(error) or error.strerror
    return f"the data folder {folder} cannot be used by user {user}: {why}; mend that, {_ELSEWHERE}"
