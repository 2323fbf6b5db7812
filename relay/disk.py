"""What a disk says when it cannot take a file, in words. A disk's trouble is nobody's mistake and passes: whoever meets
it waits, and tells it."""

import errno

_SAYS = {
    errno.ENOSPC: "the disk is full; make room on it",
    errno.EDQUOT: "the quota of the relay's user is used up; make room",
    errno.EFBIG: "the file would be larger than the system allows (ulimit -f)",
    errno.EROFS: "the disk is mounted read-only; mount it for writing",
    errno.EIO: "the disk fails; look at its health and at the system's log",
}


def trouble_of(error: OSError) -> str | None:
    """What is wrong with the disk, and what to do; ``None`` if ``error`` is of another kind."""
    return _SAYS.get(error.errno or 0)
