"""What a request must be, before it costs anything: every rule of the contract, all violations at once.

Pure: nothing is fetched and no name is looked up here. The sandbox has rules of its own, on purpose: what tests the
relay must not agree with it by being it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from msgspec import Struct

PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa")
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+))*\.?", re.IGNORECASE)


class Violation(Struct, frozen=True):
    """One rule that a request breaks. ``field`` is a path such as ``images[2]``."""

    field: str
    value: Any
    rule: str

    def __str__(self) -> str:
        return f"{self.field} {self.rule}"


Rule = Callable[[Any], str | None]
"""What is wrong with a value, as the end of a sentence; ``None`` if nothing is."""


def music_video(request: dict[str, Any]) -> list[Violation]:
    """Every violation of a ``POST /v1/music-video/tasks``. Tiers other than standard have rules that move: of those
    only the links are checked, the rest is the provider's to say."""
    if request.get("mv_tier") not in (None, "standard"):
        links = ((name, url, _url(url)) for name, url in urls(request))
        return [Violation(name, url, wrong) for name, url, wrong in links if wrong is not None]
    return [*_fields(request, _MUSIC_VIDEO), *_combinations(request)]


def ecommerce_video(request: dict[str, Any]) -> list[Violation]:
    """Every violation of a ``POST /v1/ecommerce-video/tasks``."""
    return list(_fields(request, _ECOMMERCE_VIDEO))


def shot_edit(request: dict[str, Any]) -> list[Violation]:
    """Every violation of a shot edit. What only one of the two contracts takes is left to the provider."""
    return [*_fields(request, _SHOT_EDIT), *_combinations(request)]


def compose(request: dict[str, Any]) -> list[Violation]:
    """Every violation of a compose."""
    return list(_fields(request, _COMPOSE))


def urls(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """``(field, url)`` of every input that the provider will fetch."""
    images: Any = request.get("images")
    if isinstance(images, list):
        for index, url in enumerate(cast("list[Any]", images)):
            if isinstance(url, str):
                yield f"images[{index}]", url
    for name in ("audio_url", "lip_ref_url", "srt_url"):
        url = request.get(name)
        if isinstance(url, str):
            yield name, url


def _fields(request: dict[str, Any], rules: dict[str, tuple[bool, Rule]]) -> Iterator[Violation]:
    for name, (required, rule) in rules.items():
        value = request.get(name)
        if value is None:
            if required:
                yield Violation(name, None, "is required")
        elif rule is _images:
            yield from _each_image(value)
        elif (wrong := rule(value)) is not None:
            yield Violation(name, value, wrong)


def _each_image(value: Any) -> Iterator[Violation]:
    wrong = _images(value)
    if wrong is not None:
        yield Violation("images", value, wrong)
        return
    for index, url in enumerate(value):
        wrong = _url(url)
        if wrong is not None:
            yield Violation(f"images[{index}]", url, wrong)


def _combinations(request: dict[str, Any]) -> Iterator[Violation]:
    if request.get("resolution") == "540p":
        if request.get("quality") == "high":
            yield Violation("quality", "high", "cannot be high with resolution 540p")
        if request.get("lip_sync") is True:
            yield Violation("lip_sync", True, "cannot be true with resolution 540p")


def _images(value: Any) -> str | None:
    fits = isinstance(value, list) and 1 <= len(cast("list[Any]", value)) <= 7
    return None if fits else "must be a list of 1 to 7 public HTTPS URLs"


def is_public_https(url: str) -> bool:
    """Whether ``url`` is https and looks as if the internet could reach it; nothing is resolved."""
    return _url(url) is None


def _url(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be a public HTTPS URL"
    try:
        parts = urlsplit(value)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return "must be a public HTTPS URL"
    if parts.scheme != "https" or parts.username is not None:
        return "must be a public HTTPS URL; upload local files with POST /v1/files first"
    return None if _public(host) else "must not lead to a private address"


def _public(host: str) -> bool:
    if "." not in host and ":" not in host:
        return False
    if host == "localhost" or host.endswith(PRIVATE_SUFFIXES):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not _NUMERIC_HOST.fullmatch(host)  # an address in a disguise, such as 0x7f.1
    return address.is_global and not address.is_multicast


def _subtitles(value: Any) -> str | None:
    wrong = _url(value)
    path = urlsplit(str(value)).path if wrong is None else ""
    return wrong if wrong is not None or path.endswith(".srt") else "must end in .srt"


def _text(most: int, *, least: int = 0) -> Rule:
    def rule(value: Any) -> str | None:
        if isinstance(value, str) and least <= len(value.strip()) and len(value) <= most:
            return None
        return f"must be text of at most {most} characters" + (", and not empty" if least else "")

    return rule


def _one_of(*choices: str) -> Rule:
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _colour(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", value, re.ASCII)
    return None if fits else "must be a colour such as #FFCC00"


def _seconds(least: int, most: int) -> Rule:
    def rule(value: Any) -> str | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and least <= value <= most else f"must be a whole number of seconds from {least} to {most}"

    return rule


def _shots(value: Any) -> str | None:
    named = isinstance(value, list) and all(isinstance(one, str) and one for one in cast("list[Any]", value))
    return None if named and value else "must name at least one shot, in the wanted order"


_QUALITY, _RESOLUTION = _one_of("standard", "high"), _one_of("540p", "720p", "1080p")
_MUSIC_VIDEO: dict[str, tuple[bool, Rule]] = {
    "images": (True, _images),
    "audio_url": (True, _url),
    "prompt": (False, _text(3000)),
    "style": (False, _text(200)),
    "language": (False, _one_of("en", "zh")),
    "quality": (False, _QUALITY),
    "resolution": (False, _RESOLUTION),
    "aspect_ratio": (False, _one_of("1:1", "16:9", "9:16", "4:3", "3:4")),
    "lip_sync": (False, _flag),
    "lip_ref_url": (False, _url),
    "add_subtitle": (False, _flag),
    "subtitle_color": (False, _colour),
    "srt_url": (False, _subtitles),
    "duration": (False, _seconds(10, 180)),
    "compose_mode": (False, _one_of("auto", "manual")),
}
_ECOMMERCE_VIDEO: dict[str, tuple[bool, Rule]] = {
    "images": (True, _images),
    "duration": (True, _seconds(10, 60)),
    "prompt": (False, _text(2000)),
    "aspect_ratio": (False, _one_of("16:9", "9:16", "1:1")),
    "language": (False, _one_of("en", "zh")),
}
_SHOT_EDIT: dict[str, tuple[bool, Rule]] = {
    "prompt": (True, _text(3000, least=1)),
    "duration": (False, _seconds(1, 180)),
    "quality": (False, _QUALITY),
    "resolution": (False, _RESOLUTION),
}
_COMPOSE: dict[str, tuple[bool, Rule]] = {"shot_ids": (True, _shots)}
