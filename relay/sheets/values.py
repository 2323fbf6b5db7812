"""From the text of a cell to the value of a field, kindly: what a person plainly means is understood."""

import re
from collections.abc import Callable
from typing import Any

from .links import LinkError, bare, direct

_YES, _NO = (
    {"yes", "y", "true", "1", "x", "on", "ja", "oui", "si", "✓", "✔", "☑"},
    {"no", "n", "false", "0", "off", "nein", "non", "-"},
)
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,2}):(\d{2})(?:\.\d+)?")
_SECONDS = re.compile(r"(\d+)(?:\.0+)?\s*(?:s|sec|secs|second|seconds)?", re.IGNORECASE)
_RATIOS = {
    **dict.fromkeys(
        ("portrait", "vertical", "tall", "9x16", "story", "reel", "tiktok", "shorts", "hochkant", "hochformat"), "9:16"
    ),
    **dict.fromkeys(("landscape", "horizontal", "wide", "widescreen", "16x9", "youtube", "querformat"), "16:9"),
    **dict.fromkeys(("square", "1x1", "quadrat", "quadratisch"), "1:1"),
    **dict.fromkeys(("4x3",), "4:3"),
    **dict.fromkeys(("3x4",), "3:4"),
}
_RESOLUTIONS = {
    "540": "540p",
    "720": "720p",
    "1080": "1080p",
    "hd": "720p",
    "full hd": "1080p",
    "fullhd": "1080p",
    "fhd": "1080p",
}
_LANGUAGES = {
    "english": "en",
    "englisch": "en",
    "en-us": "en",
    "en-gb": "en",
    "chinese": "zh",
    "mandarin": "zh",
    "zh-cn": "zh",
    "中文": "zh",
}
_WORKFLOWS = {
    "music video": "music-video",
    "music_video": "music-video",
    "music": "music-video",
    "ecommerce": "ecommerce-video",
    "product": "ecommerce-video",
    "e-commerce": "ecommerce-video",
    "ecommerce video": "ecommerce-video",
}
_LOCAL = re.compile(r"([A-Za-z]:[\\/]|[\\/.~]|file:)")
_FILE = re.compile(r"[^:*?\"<>|]+\.(mp3|wav|aac|m4a|png|jpe?g|webp|srt)", re.IGNORECASE)


class Unreadable(Exception):
    """The cell cannot mean a value of its field; the message ends a sentence: ``must be …``."""


def value(field: str, text: str) -> Any:
    """What ``text`` means for ``field``. Raises :class:`Unreadable`. A link is made direct; a local path stays."""
    return _READERS.get(field, _text)(text)


def split_links(text: str) -> list[str]:
    """Several links in one cell: one a line, or separated by commas, semicolons or blanks between links."""
    if "\n" in text or ";" in text:
        parts = re.split(r"[\n;]+", text)
    else:
        parts = re.split(r",\s*(?=https?://|[\\/.~]|[A-Za-z]:\\)|\s+(?=https?://)", text)
    return [part.strip().strip(",") for part in parts if part.strip(" ,")]


def is_local(text: str) -> bool:
    """Whether a cell names a file on this machine rather than a link."""
    if "://" in text and not text.lower().startswith("file:"):
        return False
    return bool(_LOCAL.match(text) or _FILE.fullmatch(text))


def link(text: str) -> str:
    """A link as it can be fetched. Raises :class:`Unreadable`."""
    try:
        return text if is_local(text) else direct(bare(text))
    except LinkError as error:
        raise Unreadable(str(error)) from error


def _text(text: str) -> str:
    return text


def _flag(text: str) -> bool:
    word = text.lower()
    if word in _YES | _NO:
        return word in _YES
    raise Unreadable("must be yes or no")


def _seconds(text: str) -> int:
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        if hours and not seconds:  # spreadsheet programs take 2:05 for five past two; no song is hours long
            hours, minutes, seconds = 0, hours, minutes
        return hours * 3600 + minutes * 60 + seconds
    number = _SECONDS.fullmatch(text)
    if number:
        return int(number.group(1))
    raise Unreadable("must be whole seconds, or minutes and seconds such as 2:05")


def _word(known: dict[str, str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        word = " ".join(text.lower().split())
        return known.get(word, word.replace(" ", "") if ":" in word else word)

    return read


def _colour(text: str) -> str:
    return f"#{text}" if re.fullmatch(r"[0-9A-Fa-f]{6}", text, re.ASCII) else text


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("audio_url", "lip_ref_url", "srt_url"), link),
    **dict.fromkeys(("lip_sync", "add_subtitle"), _flag),
    "duration": _seconds,
    "aspect_ratio": _word(_RATIOS),
    "resolution": _word(_RESOLUTIONS),
    "language": _word(_LANGUAGES),
    "quality": _word({"normal": "standard", "std": "standard", "hq": "high", "best": "high"}),
    "compose_mode": _word({"automatic": "auto", "storyboard": "manual"}),
    "workflow": _word(_WORKFLOWS),
    "subtitle_color": _colour,
}
