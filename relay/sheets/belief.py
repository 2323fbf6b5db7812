"""What should stand in our cells of a watched sheet, so that a value that went astray is told from one that a person
wrote.

Google has no write that looks first whether the row is still there: one that is inserted between our reading and our
writing makes our values land in its neighbour. The next reading shows it, for only we know what we sent, and for whom.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .columns import RESULTS, ROW_ID
from .watched import SeenRow, View, Write, plain

Key = tuple[str, ...]
"""A row: by its id, or by its inputs while it has none."""


class Belief:
    """Everything that was seen last, but for what went astray. ``cells`` and ``sent``, by row id: what is known from an
    earlier life to stand there, and what may have been under way at its end."""

    def __init__(self, cells: Mapping[str, Mapping[str, Any]], sent: Mapping[str, Mapping[str, Any]]) -> None:
        self._cells: dict[Key, Mapping[str, Any]] = {("id", row_id): values for row_id, values in cells.items()}
        self._ids: dict[tuple[str, ...], str] = {}
        self._inputs: dict[Key, tuple[str, ...]] = {}
        self.blanked = False
        """Whether we emptied a status ourselves since the reading before: an empty one then says nothing of people."""
        self._sent: dict[tuple[str, str], set[Key]] = {}
        for row_id, values in sent.items():
            self._note(("id", row_id), values)

    def sending(self, writes: Iterable[Write]) -> None:
        """These are about to be written; whether and where they arrive, the next reading tells."""
        for write in writes:
            if ROW_ID in write.cells:
                self._note(("in", *write.inputs), write.cells)
            else:
                self._note(("id", write.id) if write.id else ("in", *write.inputs), write.cells)

    def learn(self, view: View) -> list[Write]:
        """Take a reading in. What went astray is taken out of ``view``, as if it had been put right; gives what puts
        it right."""
        self.blanked = ("status", "") in self._sent
        repairs = [*self._ids_astray(view), *self._values_astray(view)]
        if not repairs:
            self._sent = {}
        return repairs

    def _note(self, key: Key, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._sent.setdefault((name, plain(value)), set()).add(key)

    def _astray(self, row: SeenRow, name: str, *keys: Key) -> bool:
        """Whether what stands there was sent by us, but for another row."""
        meant = self._sent.get((name, row.text(name)))
        return meant is not None and meant.isdisjoint(keys)

    def _ids_astray(self, view: View) -> list[Write]:
        """An id in a row that had another one, or that it was not meant for while that one is still there. One that is
        nowhere else was edited in that very moment."""
        here = {("in", *row.inputs) for row in view.rows}
        repairs: list[Write] = []
        for row in view.rows:
            before = self._ids.get(row.inputs, "")
            meant = self._sent.get((ROW_ID, row.id), set())
            edited = not before and any(row.inputs) and meant.isdisjoint(here) and not self._emptied(row)
            if row.id != before and not edited and self._astray(row, ROW_ID, ("in", *row.inputs)):
                row.values[ROW_ID] = before
                repairs.append(_repair(row, [ROW_ID]))
            else:
                self._sent.pop((ROW_ID, row.id), None)  # it has arrived; its row may say something else from now on
        seen = Counter(row.inputs for row in view.rows)
        self._ids = {row.inputs: row.id for row in view.rows if row.id and any(row.inputs) and seen[row.inputs] == 1}
        return repairs

    def _emptied(self, row: SeenRow) -> bool:
        """Whether the row of that id had a task and this one has none, without our doing: it is another one."""
        had = self._cells.get(("id", row.id), {}).get("task_id")
        return bool(had) and not row.text("task_id") and ("task_id", "") not in self._sent

    def _values_astray(self, view: View) -> list[Write]:
        repairs: list[Write] = []
        keys = self._keys(view)
        cells = {key: values for key, values in self._cells.items() if key[0] == "id"}
        for row in view.rows:
            key, plainly = keys[row.number], ("in", *row.inputs)
            before = self._cells.get(key) or self._cells.get(plainly) or {}
            wrong = [
                name
                for name in RESULTS
                if row.text(name) != plain(before.get(name)) and self._astray(row, name, key, plainly)
            ]
            row.values |= {name: before.get(name, "") for name in wrong}
            if wrong:
                repairs.append(_repair(row, wrong))
            cells[key] = dict(row.values)
        self._cells = cells
        self._inputs = {key: row.inputs for row in view.rows if (key := keys[row.number])[0] == "id"}
        return repairs

    def _keys(self, view: View) -> dict[int, Key]:
        """What each row is known by. Of several with one id, those that were copied from it have none; a row whose id
        a person took away is still the same."""
        ids = {row.id for row in view.rows}
        homes = {inputs: key for key, inputs in self._inputs.items()}
        unmoved: set[Key] = {("id", row.id) for row in view.rows if homes.get(row.inputs) == ("id", row.id)}
        keys: dict[int, Key] = {}
        for row in view.rows:
            key: Key = ("id", row.id)
            home = homes.get(row.inputs)
            if row.id and (key == home or key not in unmoved):
                keys[row.number] = key
            elif home is not None and home[1] not in ids:
                keys[row.number] = home
            else:
                keys[row.number] = ("in", *row.inputs)
        return keys


def _repair(row: SeenRow, names: Iterable[str]) -> Write:
    return Write(number=row.number, id=row.id, inputs=row.inputs, cells={name: row.values[name] for name in names})
