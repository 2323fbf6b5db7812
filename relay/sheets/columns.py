"""Which column means what: names are matched kindly, and what nobody knows travels on as facts for recipes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct, field

from .table import UNSEEN, Line, SheetError, Table, letters

HEADER_ROWS = 20
"""The header is looked for in so many rows: people put a title above it."""

IMAGES, ID, WORKFLOW, IGNORED = "images", "id", "workflow", "-"
SYNONYMS: dict[str, tuple[str, ...]] = {
    "audio_url": (
        *("audio url", "audio", "audio link", "audio file", "song url", "song link", "song file", "music url", "mp3"),
        *("mp3 url", "track url", "track link", "music", "song", "track", "sound", "recording"),
        *("audiodatei", "lied", "musik", "cancion", "musica", "chanson", "musique", "音频", "歌曲", "音乐"),
    ),
    IMAGES: (
        *(
            "images",
            "image",
            "image url",
            "image urls",
            "image link",
            "cover image",
            "cover images",
            "cover",
            "cover url",
        ),
        *("cover art", "artwork", "picture", "pictures", "photo", "photos", "reference image", "product image"),
        *("bild", "bilder", "titelbild", "imagen", "imagenes", "portada", "foto", "fotos", "pochette"),
    ),
    "prompt": ("prompt", "video prompt", "idea", "concept", "scene", "brief", "description"),
    "style": ("style", "visual style", "look"),
    "language": ("language", "lang", "lyrics language"),
    "quality": ("quality",),
    "resolution": ("resolution", "res", "video resolution"),
    "aspect_ratio": ("aspect ratio", "aspect", "ratio", "format", "orientation", "video format", "shape"),
    "lip_sync": ("lip sync", "lipsync", "lip syncing"),
    "lip_ref_url": (
        "lip ref url",
        "lip ref",
        "lip reference",
        "lip reference image",
        "singer image",
        "performer image",
    ),
    "add_subtitle": ("add subtitle", "add subtitles", "subtitles", "subtitle", "captions"),
    "subtitle_color": ("subtitle color", "subtitle colour", "caption color", "caption colour"),
    "srt_url": ("srt url", "srt", "srt file", "subtitle file", "subtitles file", "subtitle url", "caption file"),
    "duration": ("duration", "length", "seconds", "duration seconds", "duration s"),
    "compose_mode": ("compose mode", "compose"),
    WORKFLOW: ("workflow", "video kind", "video type"),
    ID: ("id", "row id", "key", "song id", "track id", "external id"),
}
"""For each field the names people give its column, the surest first."""
RESULTS = ("status", "video_url", "credits", "task_id", "error", "finished_at")
"""Columns that the relay writes; what stands in them is never read as input."""
ROW_ID = "row_id"
"""A helper column in which a watched sheet keeps the names of its rows."""
_RESULT_NAMES = {name.replace("_", " "): name for name in RESULTS} | {
    "beatrelay id": ROW_ID,
    "beatrelay row id": ROW_ID,
    "video link": "video_url",
}
_RANKS = {name: (meant, rank) for meant, names in SYNONYMS.items() for rank, name in enumerate(names)}
_NUMBERED = re.compile(r"(.*?) ?(\d{1,2})( url| link)?")


class Columns(Struct):
    """What each column of a table is. Columns are counted from 0."""

    header: Line
    fields: dict[str, int] = field(default_factory=dict[str, int])
    """Fields of a request that stand in one column."""
    images: list[int] = field(default_factory=list[int])
    """In the order in which they are sent."""
    facts: dict[int, str] = field(default_factory=dict[int, str])
    """Everything else, by the name that recipes use after ``row.``."""
    results: dict[str, int] = field(default_factory=dict[str, int])
    """Columns with results of an earlier run."""

    def title(self, column: int) -> str:
        """What the header says, or the column's letter."""
        text = self.header.cells[column].strip() if column < len(self.header.cells) else ""
        return text or letters(column)

    def meanings(self) -> dict[str, str]:
        """What each column was understood as, by its title, for people."""
        found = {column: name for name, column in self.fields.items()}
        found |= {column: f"images[{index}]" for index, column in enumerate(self.images)}
        found |= {column: f"row.{name}" for column, name in self.facts.items()}
        found |= {column: f"(result) {name}" for name, column in self.results.items()}
        titles = Counter(self.title(column) for column in found)
        return {
            self.title(column) + (f" ({letters(column)})" if titles[self.title(column)] > 1 else ""): meant
            for column, meant in found.items()
        }


def match(table: Table, mapping: Mapping[str, str] | None = None) -> Columns:
    """Find the header and what its columns mean.

    ``mapping`` (a column's title or letter → a field, ``row.name`` or ``-``) wins over what would be guessed. Raises
    :class:`SheetError` if no row names a column that can be used, or a mapping names what is not there.
    """
    wanted = {plain(name): meant for name, meant in (mapping or {}).items()}
    return _understand(_find_header(table, wanted), wanted)


def understand(header: Line, mapping: Mapping[str, str] | None = None) -> Columns:
    """What the columns of a known header mean; ``mapping`` and what is raised are as for :func:`match`."""
    return _understand(header, {plain(name): meant for name, meant in (mapping or {}).items()})


def _understand(header: Line, wanted: Mapping[str, str]) -> Columns:
    columns = Columns(header)
    taken: dict[str, tuple[int, int]] = {}
    numbered: list[tuple[int, int]] = []
    for column, text in enumerate(header.cells):
        _place(columns, taken, numbered, column, text, wanted)
    _check_mapping(columns, wanted)
    columns.fields = {name: column for name, (column, _) in taken.items()}
    columns.images = [column for _, column in sorted(numbered)]
    if len(columns.images) and IMAGES in columns.fields:
        del columns.fields[IMAGES]
    return columns


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A title without case, accents, punctuation and doubled spaces: ``Cover_Image #2`` → ``cover image 2``."""
    text = "".join(
        one for one in unicodedata.normalize("NFKD", name) if not (unicodedata.combining(one) or one in UNSEEN)
    )
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())


def result_name(title: str) -> str | None:
    """Which result a column of that title holds."""
    return _RESULT_NAMES.get(plain(title))


def leave_to_people(table: Table, columns: Columns) -> None:
    """A column that is headed like a result is ours only beside task ids of ours, or while it is empty: songs have
    *Credits* of their own, and plans a *Status*. What is not ours becomes a fact, and is never written into."""
    below = [line for line in table.lines if line.number > columns.header.number]
    ids = columns.results.get("task_id")
    told = [] if ids is None else [text for line in below if (text := table.cell(line, ids))]
    ours = ids is not None and all(text.startswith("task_") for text in told)
    for name, column in list(columns.results.items()):
        twins = [other for other in columns.facts if result_name(columns.title(other)) == name]
        if ours and twins:  # ours went to the right of theirs
            last = max(twins)
            columns.results[name], columns.facts[column] = last, columns.facts.pop(last)
        elif not ours and any(table.cell(line, column) for line in below):
            del columns.results[name]
            _add_fact(columns, column, fact_name(columns.title(column)))


def fact_name(title: str) -> str:
    """A title as recipes write it after ``row.``: ``Release date`` → ``release_date``."""
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", title.strip().lower())).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def meaning(title: str) -> tuple[str, int, int] | None:
    """``(field, rank, number)`` of a column's title; rank 0 is the surest. ``None``: a fact."""
    name = plain(title)
    if name in _RANKS:
        meant, rank = _RANKS[name]
        return meant, rank, 0
    match = _NUMBERED.fullmatch(name)
    base = (match.group(1) + (match.group(3) or "")).strip() if match else ""
    if match and _RANKS.get(base, ("", 0))[0] == IMAGES:
        return IMAGES, 0, int(match.group(2))
    return None


def _place(
    columns: Columns,
    taken: dict[str, tuple[int, int]],
    numbered: list[tuple[int, int]],
    column: int,
    text: str,
    wanted: Mapping[str, str],
) -> None:
    name = plain(text)
    chosen = wanted.get(name) or wanted.get(letters(column).lower())
    if chosen == IGNORED or not (text.strip() or chosen):
        return
    if chosen is None and name in _RESULT_NAMES:
        if columns.results.setdefault(_RESULT_NAMES[name], column) != column:
            _add_fact(columns, column, fact_name(text))
        return
    found = (chosen, -1, 0) if chosen in SYNONYMS else None if chosen else meaning(text)
    if found is None:
        _add_fact(columns, column, (chosen or "").removeprefix("row.") or fact_name(text))
        return
    meant, rank, number = found
    if meant == IMAGES:
        numbered.append((number, column))
    elif meant not in taken or rank < taken[meant][1]:
        if meant in taken:
            _add_fact(columns, taken[meant][0], fact_name(columns.title(taken[meant][0])))
        taken[meant] = (column, rank)
    else:
        _add_fact(columns, column, fact_name(text))


def _add_fact(columns: Columns, column: int, name: str) -> None:
    names = set(columns.facts.values())
    unique, count = name or f"column_{letters(column).lower()}", 1
    while unique in names:
        count += 1
        unique = f"{name}_{count}"
    columns.facts[column] = unique


def _find_header(table: Table, wanted: Mapping[str, str]) -> Line:
    """The first row in which most columns are known by name. Where links stand below names, the rows have begun: a
    second table further down has a header of its own, and the first one's rows are not lost for it."""
    best, score = None, 0
    for line in table.lines[:HEADER_ROWS]:
        if score > 1 and any("://" in text for text in line.cells):
            break
        known = sum(1 for text in line.cells if plain(text) in wanted or meaning(text) is not None)
        if known > score:
            best, score = line, known
    if best is not None:
        return best
    first = next((line.cells for line in table.lines if not line.blank), list[str]())
    shown = ", ".join(repr(text.strip()[:40]) for text in first if text.strip()) or "nothing"
    raise SheetError(
        "no row names the columns. A sheet needs a header with at least an audio column (such as `Audio URL`) and an"
        f" image column (such as `Image 1`); the first row has {shown}"
        f"{_others(table)}"
    )


def _others(table: Table) -> str:
    if not table.others:
        return ""
    return f". This is the sheet {table.name!r}; choose one of the others: {', '.join(table.others)}"


def _check_mapping(columns: Columns, wanted: Mapping[str, str]) -> None:
    titles = {plain(text) for text in columns.header.cells} | {
        letters(column).lower() for column in range(len(columns.header.cells))
    }
    for name, meant in wanted.items():
        if name not in titles:
            known = ", ".join(text.strip() for text in columns.header.cells if text.strip())
            raise SheetError(f"the mapping names a column {name!r} that is not there; there is: {known}")
        if meant not in SYNONYMS and meant != IGNORED and not meant.startswith("row."):
            raise SheetError(
                f"the mapping sends {name!r} to {meant!r}; it must be one of {', '.join(SYNONYMS)}, row.NAME or -"
            )
