"""Structs to rows and back: the column names are the field names."""

import sqlite3
from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


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
    return [
        as_json(value) if isinstance(value := getattr(row, name), dict | list) else value
        for name in row.__struct_fields__
        if name not in skip
    ]


def read(struct: type[S], row: sqlite3.Row) -> S:
    """A struct from a row that has at least its columns (a missing one takes its default)."""
    return msgspec.convert(dict(zip(row.keys(), row, strict=True)), struct, strict=False)


def as_json(value: Any) -> str:
    """A value as JSON text, such as the list of ids that ``json_each`` takes apart."""
    return msgspec.json.encode(value).decode()
