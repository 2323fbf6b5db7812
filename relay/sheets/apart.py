"""Reads a workbook in a process of its own.

One with a cell far away from all others fills the memory of whoever reads it, and a damaged one may end the process:
that one, and not the relay.
"""

import asyncio
import os
import resource
import sys

import msgspec

from .read import is_workbook, read_table
from .table import SheetError, Table

MEMORY = 2 * 1024**3
"""Bytes of addresses that reading one may take."""
SECONDS = 60
"""Of the processor."""
_ENDED = (
    "the workbook cannot be read: it is damaged, or a cell stands far away from all others; open it, delete the rows"
    " and columns behind its last ones, and save it again as XLSX"
)


async def read_apart(content: bytes, sheet: str | None = None) -> Table:
    """What :func:`read_table` gives. Raises :class:`SheetError` for what that refuses, or does not survive."""
    if not is_workbook(content):
        return read_table(content, sheet)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relay.sheets.apart"),
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # no secret is within its reach
    )
    try:
        answer, _ = await process.communicate(msgspec.msgpack.encode((content, sheet)))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise SheetError(_ENDED)
    table = msgspec.msgpack.decode(answer, type=Table | str)
    if isinstance(table, str):
        raise SheetError(table)
    return table


def main() -> None:
    """The other process: a workbook comes in, its table goes out, or a sentence that says why there is none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content, sheet = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[bytes, str | None])
    try:
        answer: Table | str = read_table(content, sheet)
    except SheetError as error:
        answer = str(error)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()
