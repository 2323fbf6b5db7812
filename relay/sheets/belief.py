"""What should stand in our cells of a watched sheet, so that a value that went astray is told from one that a person
wrote.

Google has no write that looks first whether the row is still there: one that is inserted between our reading and our
writing makes our values land in its neighbour. The next reading shows it, for only we know what we sent, and for whom.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from .columns import RESULTS, ROW_ID
from .watched import SeenRow, View, Write, plain

Key = tuple[str, ...]
"""A row: by its id, or by its inputs while it has none."""
Sent = dict[tuple[str, str], set[Key]]
"""Which rows a value was meant for, by its name and its text."""
MOST_LATE = 100
"""Rows that went while something was under way and may be brought back; of more, the first are forgotten."""


class Memory(msgspec.Struct, array_like=True):
    """What a relay that starts anew must know of the one before."""

    cells: dict[Key, dict[str, Any]]
    ids: dict[tuple[str, ...], str]
    inputs: dict[Key, tuple[str, ...]]
    sent: Sent
    last: dict[tuple[Key, str], str]
    named: dict[str, set[Key]]
    here: dict[Key, int]
    late: dict[Key, Sent]


_packer, _unpacker = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Memory)


class Belief:
    """Everything that was seen last, but for what went astray. From an earlier life, by row id: what is known to stand
    in its results (``cells``) and to have been asked for (``said``), and what may be under way (``sent``)."""

    def __init__(
        self,
        cells: Mapping[str, Mapping[str, Any]],
        said: Mapping[str, Collection[str]],
        sent: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._cells: dict[Key, Mapping[str, Any]] = {("id", row_id): values for row_id, values in cells.items()}
        self._said: dict[Key, Collection[str]] = {("id", row_id): texts for row_id, texts in said.items()}
        self._ids: dict[tuple[str, ...], str] = {}
        self._inputs: dict[Key, tuple[str, ...]] = {}
        self.blanked = False
        """Whether we emptied a status ourselves since the reading before, or are about to: an empty one then says
        nothing of people."""
        self.nameless: dict[int, str] = {}
        """Rows without an id, by number, that are known to be the one of an id which is nowhere else now."""
        self.copied: dict[int, str] = {}
        """Rows that came with the id of another, by number, and whose id that is."""
        self._sent: Sent = {}
        self._last: dict[tuple[Key, str], str] = {}
        """What was sent last, by row and name: what was sent for it before that is not its own any more."""
        self._named: dict[str, set[Key]] = {}
        """What the row of an id was known by when the id was sent; it may say something else by now."""
        self._here = Counter[Key]()
        self._late: dict[Key, Sent] = {}
        """What was under way when a row went, by id and by inputs; who takes the deletion back brings it in again."""
        for row_id, values in sent.items():
            self._note(("id", row_id), values)

    def packed(self) -> bytes:
        """What :meth:`recall` brings back: the rows that are there, and whatever is or was under way."""
        cells = {key: dict(values) for key, values in self._cells.items() if key in self._here}
        state = (cells, self._ids, self._inputs, self._sent, self._last, self._named, self._here, self._late)
        return _packer.encode(Memory(*state))

    def recall(self, packed: bytes) -> None:
        """Go on where another left off. Raises :class:`msgspec.DecodeError` for what another release has packed."""
        memory = _unpacker.decode(packed)
        self._cells |= memory.cells
        self._said |= memory.inputs
        self._ids, self._inputs, self._named = memory.ids, memory.inputs, memory.named
        self._sent, self._last, self._late = memory.sent, memory.last, memory.late
        self._here = Counter(memory.here)

    def sending(self, writes: Iterable[Write]) -> None:
        """These are about to be written; whether and where they arrive, the next reading tells."""
        last = {(write.number, name): (write, value) for write in writes for name, value in write.cells.items()}
        named = {number for number, name in last if name == ROW_ID}
        for (number, name), (write, value) in last.items():
            plainly = number in named or not write.id
            self._note(("in", *write.inputs) if plainly else ("id", write.id), {name: value})

    def learn(self, view: View) -> list[Write]:
        """Take a reading in. What went astray is taken out of ``view``, as if it had been put right; gives what puts
        it right."""
        self.blanked = ("status", "") in self._sent
        repairs = [*self._ids_astray(view), *self._values_astray(view)]
        self.blanked |= any(repair.cells.get("status") == "" for repair in repairs)
        if not repairs:
            self._sent, self._named = {}, {}
        return repairs

    def _note(self, key: Key, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._sent.setdefault((name, plain(value)), set()).add(key)
            self._last[key, name] = plain(value)

    def _astray(self, row: SeenRow, name: str, *keys: Key) -> bool:
        """Whether what stands there was sent by us, but for another row."""
        value = (name, row.text(name))
        meant = self._sent.get(value, set()).union(*(self._late.get(key, {}).get(value, ()) for key in keys))
        return bool(meant) and not any(key in meant and self._last.get((key, name)) == value[1] for key in keys)

    def _ids_astray(self, view: View) -> list[Write]:
        """An id in a row that had another one, or that it was not meant for while that one is still there. One that is
        nowhere else was edited in that very moment."""
        here = {("in", *row.inputs) for row in view.rows}
        at_home = {row.id for row in view.rows if any(row.inputs)}
        repairs: list[Write] = []
        for row in view.rows:
            before = self._ids.get(row.inputs, "")
            meant = self._sent.get((ROW_ID, row.id), set())
            edited = not before and any(row.inputs) and meant.isdisjoint(here) and not self._emptied(row)
            stray = not any(row.inputs) and row.id in at_home
            if row.id != before and not edited and (stray or self._astray(row, ROW_ID, ("in", *row.inputs))):
                row.values[ROW_ID] = before or self._overwritten(row, view)
                repairs.append(_repair(row, [ROW_ID]))
            else:
                if row.id:
                    self._named[row.id] = self._named.get(row.id, set()) | meant
                self._sent.pop((ROW_ID, row.id), None)  # it has arrived; its row may say something else from now on
        seen = Counter(row.inputs for row in view.rows)
        self._ids = {said: row_id for said, row_id in self._ids.items() if said not in seen}  # an undo may come
        self._ids |= {row.inputs: row.id for row in view.rows if row.id and any(row.inputs) and seen[row.inputs] == 1}
        return repairs

    def _overwritten(self, row: SeenRow, view: View) -> str:
        """The id that stood where one of ours went astray, in a row that says something else since it was last seen:
        of those that are nowhere now, the one whose row it shares most with, and at least half of its cells."""
        if ("in", *row.inputs) in self._cells:
            return ""
        ids = {row.id for row in view.rows}
        alike = [key for key in self._inputs if key[1] not in ids and self._alike(key, row)]
        return max(sorted(alike), key=lambda key: len(self._shared(key, row)), default=("id", ""))[1]

    def _emptied(self, row: SeenRow) -> bool:
        """Whether the row of that id had a task and this one has none, without our doing: it is another one."""
        had = self._cells.get(("id", row.id), {}).get("task_id")
        return bool(had) and not row.text("task_id") and ("task_id", "") not in self._sent

    def _values_astray(self, view: View) -> list[Write]:
        repairs: list[Write] = []
        keys = self._keys(view)
        homes = {inputs: key for key, inputs in self._inputs.items()}
        cells = {key: values for key, values in self._cells.items() if key[0] == "id"}
        self._remember_late(Counter(key for row in view.rows for key in {keys[row.number], ("in", *row.inputs)}))
        for row in view.rows:
            key, plainly = keys[row.number], ("in", *row.inputs)
            named = sorted(self._named.get(row.id, ()))
            own = (key, plainly, ("id", row.id), homes.get(row.inputs, key), *named)
            seen = filter(None, (self._cells.get(known) for known in (key, plainly, *named)))
            before = next(seen, None) or self._copied(row)
            wrong = [
                name for name in RESULTS if row.text(name) != plain(before.get(name)) and self._astray(row, name, *own)
            ]
            if wrong:
                wrong += self._brought_along(row, before, wrong)
                row.values |= {name: before.get(name, "") for name in wrong}
                repairs.append(_repair(row, wrong))
            elif any(row.inputs):
                self._late.pop(key, None)
                self._late.pop(plainly, None)
            cells[key] = dict(row.values)
        unmoved = self._unmoved(view)
        copied = [row for row in view.rows if row.id in unmoved and keys[row.number] != ("id", row.id)]
        others = {inputs for key, inputs in self._inputs.items() if key[0] == "id"}
        self.copied = {row.number: row.id for row in copied if row.inputs not in others}
        for row in copied:
            row.values[ROW_ID] = ""  # it gets one of its own
        self.nameless = {row.number: key[1] for row in view.rows if not row.id and (key := keys[row.number])[0] == "id"}
        self._cells = cells
        self._inputs = {key: row.inputs for row in view.rows if (key := keys[row.number])[0] == "id"}
        self._said |= self._inputs
        return repairs

    def _copied(self, row: SeenRow) -> Mapping[str, Any]:
        """What should stand in a row that is new: if it was copied, the same as in the first one. Some of it may have
        been written over since."""
        first = self._cells.get(("id", row.id), {})
        told = ("status", "task_id", "video_url")
        return first if any(row.text(name) and row.text(name) == plain(first.get(name)) for name in told) else {}

    def _remember_late(self, here: Counter[Key]) -> None:
        """Rows that are gone since the reading before; one that is empty is as good as another."""
        for key in self._here - here:
            late = self._late.setdefault(key, {})
            for value, meant in self._sent.items():
                late[value] = late.get(value, set()) | meant
        for key in list(self._late)[:-MOST_LATE]:
            del self._late[key]
        self._here = here

    def _brought_along(self, row: SeenRow, before: Mapping[str, Any], wrong: Iterable[str]) -> list[str]:
        """What came in with values that went astray and could as well be this row's own, in place of something else."""
        meant = set[Key]().union(*(self._sent.get((name, row.text(name)), ()) for name in wrong))
        return [
            name
            for name in RESULTS
            if name not in wrong
            and plain(before.get(name))
            and row.text(name) != plain(before[name])
            and not meant.isdisjoint(self._sent.get((name, row.text(name)), ()))
        ]

    def _keys(self, view: View) -> dict[int, Key]:
        """What each row is known by. Of several with one id, those that were copied from it have none; a row whose id
        a person took away is still the same."""
        ids = {row.id for row in view.rows}
        homes = {inputs: key for key, inputs in self._inputs.items()}
        bearers = {row.id: row.number for row in reversed(view.rows)} | self._unmoved(view)
        keys: dict[int, Key] = {}
        for row in view.rows:
            home = homes.get(row.inputs)
            if row.id and bearers[row.id] == row.number:
                keys[row.number] = ("id", row.id)
            elif home is not None and home[1] not in ids:
                keys[row.number] = home
            else:
                keys[row.number] = self._edited(row, ids) or ("in", *row.inputs)
        return keys

    def _unmoved(self, view: View) -> dict[str, int]:
        """Which row of an id says what that said before, by number."""
        return {
            row.id: row.number
            for row in reversed(view.rows)
            if row.id and self._inputs.get(("id", row.id)) == row.inputs
        }

    def _edited(self, row: SeenRow, ids: Collection[str]) -> Key | None:
        """Whose row this is, which has lost its id and says something else since it was last seen: that of an id which
        is gone, whose results stand here, and with which it shares at least half of its cells."""
        if row.id or ("in", *row.inputs) in self._cells:
            return None
        sent = {key for name in RESULTS if row.text(name) for key in self._sent.get((name, row.text(name)), ())}
        alike = [key for key in sent if key[0] == "id" and key[1] not in ids and self._alike(key, row)]
        return max(sorted(alike), key=lambda key: len(self._shared(key, row)), default=None)

    def _alike(self, key: Key, row: SeenRow) -> bool:
        return 2 * len(self._shared(key, row)) >= len({cell for cell in row.inputs if cell}) > 0

    def _shared(self, key: Key, row: SeenRow) -> set[str]:
        return set(self._said.get(key, ())) & {cell for cell in row.inputs if cell}


def _repair(row: SeenRow, names: Iterable[str]) -> Write:
    return Write(number=row.number, id=row.id, inputs=row.inputs, cells={name: row.values[name] for name in names})
