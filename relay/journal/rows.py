"""Structs to rows and back: the column names are the field names."""

import functools
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar, cast

import msgspec

S = TypeVar("S", bound=msgspec.Struct)
BULK = 64
"""Rows of one statement, at most."""


def insert(table: str, struct: type[msgspec.Struct], *, skip: frozenset[str] = frozenset()) -> str:
    """An ``INSERT`` naming every field of ``struct`` but ``skip``, to be filled by :func:`values`."""
    names = [f'"{name}"' for name in struct.__struct_fields__ if name not in skip]
    return f'INSERT INTO "{table}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608 (our own names)


def update(table: str, struct: type[msgspec.Struct], *, skip: frozenset[str]) -> str:
    """An ``UPDATE … SET`` of every field of ``struct`` but ``skip``, without its ``WHERE``."""
    names = [f'"{name}" = ?' for name in struct.__struct_fields__ if name not in skip]
    return f'UPDATE "{table}" SET {", ".join(names)}'  # noqa: S608 (our own names)


def values(row: msgspec.Struct, *, skip: frozenset[str] = frozenset()) -> list[Any]:
    """The field values in order; a dict or list travels as JSON text."""
    return [as_json(value) if isinstance(value, dict | list) else value for value in _fields(type(row), skip)(row)]


@functools.cache
def _fields(struct: type[msgspec.Struct], skip: frozenset[str]) -> Callable[[Any], tuple[Any, ...]]:
    return cast("Any", attrgetter(*(name for name in struct.__struct_fields__ if name not in skip)))


def in_bulk(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute ``sql``, which has one row of values ``(?, …)``, with all of ``rows`` in few statements: around each,
    the interpreter's lock is given away and fetched back. In powers of two, so that few different ones are kept."""
    start = 0
    while start < len(rows):
        part = rows[start : start + (1 << min(len(rows) - start, BULK).bit_length() - 1)]
        one = f"({', '.join('?' * len(part[0]))})"
        connection.execute(sql.replace(one, ", ".join([one] * len(part)), 1), list(chain.from_iterable(part)))
        start += len(part)


def read(struct: type[S], row: sqlite3.Row) -> S:
    """A struct from a row that has at least its columns (a missing one takes its default)."""
    return msgspec.convert(dict(row), struct, strict=False)


def as_json(value: Any) -> str:
    """A value as JSON text, such as the list of ids that ``json_each`` takes apart."""
    return msgspec.json.encode(value).decode()
