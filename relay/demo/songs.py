"""The songs of the demo: a small CSV becomes requests."""

import csv
import json
from pathlib import Path
from typing import Any

from msgspec import Struct

import relay


class Song(Struct):
    """One row: what is asked for, and the row itself for recipes."""

    title: str
    request: dict[str, Any]
    row: str


def shipped(name: str) -> Path:
    """A file that comes with beatrelay: from the source tree, or from the installed package."""
    package = Path(relay.__file__).parent
    for root in (package.parent / "recipes", package / "shipped"):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} did not come with this installation; run the demo from a clone")


def read_songs(path: Path | None) -> list[Song]:
    """The songs of ``path``, or the three that come with beatrelay."""
    with (path or shipped("examples/songs.csv")).open(newline="", encoding="utf-8-sig") as file:
        return [_song(row) for row in csv.DictReader(file)]


def _song(row: dict[str, str]) -> Song:
    request = {
        "audio_url": row["audio_url"],
        "images": row["images"].split(),
        "prompt": row["prompt"],
        "aspect_ratio": row["aspect_ratio"],
    }
    return Song(f"{row['artist']} - {row['title']}", request, json.dumps(row))
