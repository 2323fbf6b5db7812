"""One row that comes as names and values, such as a no-code tool sends it, rather than in a sheet."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from .columns import RESULTS, Columns, fact_name, plain, understand
from .plan import PlannedRow, plan_rows
from .table import Line, SheetError, Table
from .workbook import MOST_COLUMNS, as_text

DEEPEST = 8
"""Objects and lists within each other."""
WRAPPERS = frozenset({"data", "fields", "body", "payload", "json"})
"""Objects around the whole row, whose names tell nothing."""
_FACT = "row."
_WRITTEN = {plain(name) for name in RESULTS}
"""Names that are results in a sheet. Here nothing was written before, so they are facts as any other."""

Field = tuple[str, str]
"""A name and a text."""


def fields_of(document: Mapping[str, Any]) -> list[Field]:
    """A JSON object as flat names and texts, without what is blank. ``{"song": {"url": "…"}}`` is ``song url``; what
    stands in ``row`` is a fact. A list becomes lines; of an attachment (an object with a ``url``) in a list counts the
    link. Raises :class:`SheetError` for what is nested too deeply."""
    return _joined(_walk(document, (), 0))


def plan_fields(
    fields: Iterable[Field], mapping: Mapping[str, str] | None = None, defaults: Mapping[str, str] | None = None
) -> tuple[Columns, PlannedRow]:
    """What the names mean and what the row asks for, by the same rules as a row of a sheet. A mapping may speak of
    fields that this row leaves out. Raises :class:`SheetError` if there is nothing to plan."""
    given = _joined(fields)
    if not given:
        raise SheetError("it has no field with a value")
    if len(given) > MOST_COLUMNS:
        raise SheetError(f"it has {len(given)} fields; at most {MOST_COLUMNS} are read")
    header, line = Line(1, [name for name, _ in given]), Line(2, [text for _, text in given])
    names = {plain(name) for name in header.cells}
    told = {name: meant for name, meant in (mapping or {}).items() if plain(name) in names}
    columns = understand(header, {**_facts(header), **told})
    planned = plan_rows(Table("", [header, line]), columns, defaults)
    if not planned:
        raise SheetError("it has an id and nothing else")
    return columns, planned[0]


def _walk(value: Any, path: tuple[str, ...], depth: int) -> Iterator[Field]:
    if depth > DEEPEST:
        raise SheetError(f"it is nested more than {DEEPEST} levels deep; send flat fields")
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            wraps = not path and name.lower() in WRAPPERS and isinstance(inner, dict)
            yield from _walk(inner, path if wraps else (*path, name), depth + 1)
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            url: Any = cast("dict[str, Any]", one).get("url") if isinstance(one, dict) else None
            yield from _walk(one if url is None else url, path, depth + 1)
    elif value is not None:
        yield _name(path), as_text(value)


def _name(path: tuple[str, ...]) -> str:
    return f"{_FACT}{' '.join(path[1:])}" if path[0].lower() == "row" and len(path) > 1 else " ".join(path)


def _joined(fields: Iterable[Field]) -> list[Field]:
    """One text a name: several are its lines."""
    texts: dict[str, list[str]] = {}
    for name, text in fields:
        if text.strip():
            texts.setdefault(name.strip(), []).append(text.strip())
    return [(name, "\n".join(lines)) for name, lines in texts.items()]


def _facts(header: Line) -> dict[str, str]:
    """Names that are facts whatever they may sound like."""
    facts: dict[str, str] = {}
    for name in header.cells:
        if name.lower().startswith(_FACT):
            facts[name] = _FACT + fact_name(name[len(_FACT) :])
        elif plain(name) in _WRITTEN:
            facts[name] = _FACT + fact_name(name)
    return facts
