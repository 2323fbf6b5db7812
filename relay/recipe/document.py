"""YAML to plain data, with the place of everything in it.

YAML 1.1 would turn the key ``on`` into ``True`` and ``no`` into ``False``; a recipe means what it says, so scalars are
read by the smaller rules of YAML 1.2: only ``true``, ``false`` and ``null`` are words, all else is text or a number.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml
from msgspec import Struct, field

from .errors import Problem, RecipeErrors

MOST_BYTES = 256 * 1024
MOST_NODES = 10_000

Path = tuple[str | int, ...]
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
_BARE_TEMPLATE = re.compile(r"(?:^\s*-|:)\s+\{[{%]")
_BARE_HASH = re.compile(r"[:,\[{]\s+#")
_TWO_COLONS = re.compile(r"\s*(?:- )?[\w ]+:\s+[^\s'\"{\[|>][^'\"]*:\s")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(Struct):
    """Where a value stands: its first line and column, counted from 1, and whether it is a block of its own."""

    line: int
    column: int
    block: bool = False


class Document(Struct):
    """A YAML file as data. ``places`` knows where each path stands; a key's place is at ``(*path, key)``."""

    file: str
    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict[Path, Place])

    def place(self, path: Path) -> Place:
        """The place of ``path``, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))

    def problem(self, path: Path, message: str, hint: str = "", *, line: int = 0) -> Problem:
        """A problem at ``path``; ``line`` counts lines into a block value."""
        place = self.place(path)
        inside = line - 1 + (1 if place.block else 0) if line else 0
        return Problem(self.file, place.line + max(inside, 0), place.column, message, hint)


def read(source: str, file: str) -> Document:
    """Raises :class:`RecipeErrors` if ``source`` is not one plain YAML document."""
    document = Document(file)
    if len(source) > MOST_BYTES:
        raise RecipeErrors([Problem(file, 1, 1, f"a recipe may have {MOST_BYTES} characters; this has {len(source)}")])
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what, lines = f"this is not YAML: {error.problem or error.context}", source.splitlines()
        raise RecipeErrors([Problem(file, line, column, what, _slip(lines[max(line - 2, 0) : line]))]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise RecipeErrors([Problem(file, 1, 1, f"this is not YAML: {error}")]) from error
    if root is not None:
        document.data = _Builder(document, source.splitlines()).build(root, ())
    return document


def _slip(lines: Sequence[str]) -> str:
    """What was probably meant by the last of ``lines``, or by the one before, at which YAML stumbles; empty if nobody
    can tell."""
    for line in reversed(lines):
        if _BARE_TEMPLATE.search(line):
            return 'put quotes around what has {{ }} in it: text: "{{ row.title }} is ready"'
        if line[: len(line) - len(line.lstrip())].count("\t"):
            return "indent with spaces, not with tabs"
        if _BARE_HASH.search(line):
            return 'a text that begins with # must stand in quotes: channel: "#releases"'
        if _TWO_COLONS.match(line):
            return 'a text with ": " in it must stand in quotes: name: "Releases: the video"'
    return ""


class _Builder:
    def __init__(self, document: Document, lines: Sequence[str]) -> None:
        self._document = document
        self._lines = lines
        self._nodes = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        mark = node.start_mark
        if self._nodes > MOST_NODES or len(path) > 32:
            raise RecipeErrors([self._problem(mark, "the recipe is too large, or an alias repeats itself too often")])
        style = getattr(node, "style", None)
        self._document.places[path] = Place(mark.line + 1, mark.column + 1, style in ("|", ">"))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        text: str = node.value
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise RecipeErrors([self._problem(mark, "half a character (\\ud800 to \\udfff) cannot be written down")])
        return text if style else _scalar(text)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                mark = key_node.start_mark
                hint = _slip(self._lines[mark.line : mark.line + 1])
                raise RecipeErrors([self._problem(mark, "a key must be a word", hint)])
            key: str = key_node.value
            if key in found:
                raise RecipeErrors([self._problem(key_node.start_mark, f"the key {key!r} stands here twice")])
            found[key] = self.build(value_node, (*path, key))
        return found

    def _problem(self, mark: Any, message: str, hint: str = "") -> Problem:
        return Problem(self._document.file, mark.line + 1, mark.column + 1, message, hint)


def _scalar(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
