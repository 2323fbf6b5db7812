"""Puts results where people look for them: beside the file, or into it if it is as it was."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from .columns import Columns
from .delimited_write import table_as_csv, write_delimited
from .results import Result, cells_of
from .table import SheetError, Table
from .workbook_patch import write_workbook

WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})


def digest(content: bytes) -> str:
    """What a file is known by: another digest, and somebody has changed it."""
    return hashlib.sha256(content).hexdigest()


def with_results(content: bytes, table: Table, columns: Columns, results: Mapping[int, Result]) -> bytes:
    """The file with ``results`` (by row number) in it. A workbook that cannot be written into (an ODS, an XLS, a
    formula where a result goes) comes as a CSV of its sheet: results that were paid for are never kept back."""
    written = cells_of(table, columns, results)
    if not table.name:
        return write_delimited(content, written)
    try:
        return write_workbook(content, table.name, written)
    except SheetError:
        return table_as_csv(table, written)


def beside(path: Path, content: bytes | None = None) -> Path:
    """``songs.xlsx`` → ``songs.result.xlsx``; a CSV in the place of a workbook (``content`` tells) is called so."""
    workbook = path.suffix.lower() in WORKBOOKS
    turned = content is not None and workbook and not content.startswith(b"PK\x03\x04")
    return path.with_name(f"{path.stem}.result{'.csv' if turned else path.suffix}")


def may_replace(path: Path, read: str) -> str:
    """Why the file must not be written to now, in words; empty if it may. ``read`` is its :func:`digest` when read."""
    if path.with_name(f"~${path.name}").exists() or path.with_name(f".~lock.{path.name}#").exists():
        return f"{path.name} is open in a spreadsheet program"
    try:
        same = digest(path.read_bytes()) == read
    except OSError as error:
        return f"{path.name} cannot be read any more ({error.strerror})"
    return "" if same else f"{path.name} was changed since it was read"


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``: whole and on disk, or not at all. Raises :class:`SheetError`."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            unfinished.chmod(path.stat().st_mode & 0o777)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SheetError(
            f"{path} cannot be written: {error.strerror}; free some space or choose another place"
        ) from error
