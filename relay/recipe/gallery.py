"""The shipped recipes: a shelf to begin from."""

from pathlib import Path

SCHEMA = "schema.json"
"""What the schema for editors is called that stands beside one's own recipes."""
_HINT = "# yaml-language-server: $schema="
_SHIPPED = f"{_HINT}../{SCHEMA}\n"


def gallery() -> dict[str, Path]:
    """The shipped recipes by name, from the wheel or from a clone."""
    room = Path(__file__).parents[1]
    places = (room / "shipped" / "gallery", room.parent / "recipes" / "gallery")
    files = next((sorted(place.glob("*.yaml")) for place in places if place.is_dir()), list[Path]())
    return {file.stem: file for file in files}


def own_copy(shipped: Path) -> str:
    """A shipped recipe as it belongs into a folder of one's own, with the schema beside it."""
    return f"{_HINT}{SCHEMA}\n" + shipped.read_text(encoding="utf-8").removeprefix(_SHIPPED)
