"""Checks a request's input for shape, and says everything that is wrong with it at once."""

import re
from collections.abc import Mapping
from typing import Any, cast

from .addresses import SUFFIXES, is_local, is_of, is_public_https, suffix_of
from .errors import Refusal

Problems = list[dict[str, Any]]

LANGUAGES, QUALITIES, RESOLUTIONS = ("en", "zh"), ("standard", "high"), ("540p", "720p", "1080p")
RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4")
LONGEST_VALUE = 100
"""Characters of a wrong value that are shown again."""
NONE: Mapping[str, str] = {}


def check_music_video(body: Any, own: str, *, current: bool, uploads: Mapping[str, str] = NONE) -> dict[str, Any]:
    """The request, or a :class:`Refusal` that names each field, value and rule.

    ``own`` is our own origin, ``uploads`` the MIME type of each URL that was uploaded here.
    """
    request = _mapping(body)
    problems: Problems = []
    _images(request, own, problems)
    _url(request, "audio_url", own, problems, required=True)
    _text(request, "prompt", 3000, problems)
    _text(request, "style", 200, problems)
    for name, choices in (
        ("language", LANGUAGES),
        ("quality", QUALITIES),
        ("resolution", RESOLUTIONS),
        ("aspect_ratio", RATIOS),
        ("compose_mode", ("auto", "manual")),
    ):
        _choice(request, name, choices, problems)
    for name in ("lip_sync", "add_subtitle"):
        _flag(request, name, problems)
    _url(request, "lip_ref_url", own, problems)
    _url(request, "srt_url", own, problems)
    colour = request.get("subtitle_color")
    if colour is not None and not (isinstance(colour, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", colour)):
        _add(problems, "subtitle_color", colour, "must be #RRGGBB")
    _seconds(request, "duration", 10, 180, problems)
    _combinations(request, problems, current=current)
    _kinds(request, uploads, problems)
    return _passed(request, problems)


def check_ecommerce(body: Any, own: str, *, uploads: Mapping[str, str] = NONE) -> dict[str, Any]:
    """The same for an e-commerce video."""
    request = _mapping(body)
    problems: Problems = []
    _images(request, own, problems)
    _seconds(request, "duration", 10, 60, problems, required=True)
    _text(request, "prompt", 2000, problems)
    _choice(request, "aspect_ratio", ("16:9", "9:16", "1:1"), problems)
    _choice(request, "language", LANGUAGES, problems)
    _kinds(request, uploads, problems)
    return _passed(request, problems)


def check_edit(body: Any, *, current: bool) -> dict[str, Any]:
    """The same for a shot edit: current takes only the prompt, the rest is inherited."""
    request = _mapping(body)
    problems: Problems = []
    _text(request, "prompt", 3000, problems, required=True)
    if current:
        for name in request.keys() - {"prompt"}:
            _add(problems, name, request[name], "is not allowed; it is inherited from the task")
    else:
        _seconds(request, "duration", 1, 180, problems)
        _choice(request, "quality", QUALITIES, problems)
        _choice(request, "resolution", RESOLUTIONS, problems)
        _combinations(request, problems, current=False)
    return _passed(request, problems)


def check_compose(body: Any) -> list[str]:
    """The ids of the shots, in the wanted order."""
    request = _mapping(body)
    ids: Any = request.get("shot_ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(shot, str) for shot in cast("list[Any]", ids)):
        _passed(request, [{"field": "shot_ids", "value": ids, "rule": "must name at least one shot"}])
    return cast("list[str]", ids)


def check_webhook_url(url: str, *, allow_local: bool) -> None:
    """An endpoint must be public HTTPS; loopback is for trying things out."""
    if not is_public_https(url) and not (allow_local and is_local(url)):
        rule = "must be a public HTTPS URL" + (" or, in this sandbox, a local one" if allow_local else "")
        _passed({}, [{"field": "url", "value": url, "rule": rule}])


def _mapping(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refusal(400, "bad_request", "The request body must be a JSON object.")
    return {name: value for name, value in cast("dict[str, Any]", body).items() if value is not None}


def _passed(request: dict[str, Any], problems: Problems) -> dict[str, Any]:
    if problems:
        message = "; ".join(f"{problem['field']} {problem['rule']}" for problem in problems)
        raise Refusal(400, "bad_request", message + ".", details=problems)
    return request


def _add(problems: Problems, name: str, value: Any, rule: str) -> None:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        value = value[:LONGEST_VALUE] + "…"
    problems.append({"field": name, "value": value, "rule": rule})


def _images(request: dict[str, Any], own: str, problems: Problems) -> None:
    images: Any = request.get("images")
    if not isinstance(images, list) or not 1 <= len(cast("list[Any]", images)) <= 7:
        _add(problems, "images", images, "must contain 1-7 public HTTPS URLs")
        return
    for index, url in enumerate(cast("list[Any]", images)):
        _check_url(f"images[{index}]", url, own, problems)


def _url(request: dict[str, Any], name: str, own: str, problems: Problems, *, required: bool = False) -> None:
    if name in request:
        _check_url(name, request[name], own, problems)
    elif required:
        _add(problems, name, None, "is required")


def _check_url(name: str, url: Any, own: str, problems: Problems) -> None:
    if isinstance(url, str) and url.startswith(own + "/"):
        return
    if not is_public_https(url):
        _add(problems, name, url, "must be a public HTTPS URL")


def _kinds(request: dict[str, Any], uploads: Mapping[str, str], problems: Problems) -> None:
    """Of an upload we know what it is; of other URLs, what their name says."""
    wrong = {problem["field"] for problem in problems}
    images: Any = request.get("images")
    named: list[tuple[str, str, Any]] = [("audio_url", "audio", request.get("audio_url"))]
    named += [("lip_ref_url", "image", request.get("lip_ref_url")), ("srt_url", "srt", request.get("srt_url"))]
    if isinstance(images, list):
        named += [(f"images[{index}]", "image", url) for index, url in enumerate(cast("list[Any]", images))]
    for name, kind, url in named:
        if not isinstance(url, str) or name in wrong:
            continue
        ends = suffix_of(url) == ".srt" if kind == "srt" else is_of(kind, url)
        told = uploads.get(url, kind).replace("application/x-subrip", "srt").startswith(kind)
        if not (ends and told):
            _add(problems, name, url, f"must be a {' '.join(suffix[1:] for suffix in SUFFIXES[kind])} file")


def _text(request: dict[str, Any], name: str, most: int, problems: Problems, *, required: bool = False) -> None:
    value = request.get(name)
    if value is None:
        if required:
            _add(problems, name, None, "is required")
    elif not isinstance(value, str) or len(value) > most:
        _add(problems, name, value, f"must be text of at most {most} characters")
    elif required and not value.strip():
        _add(problems, name, value, "must not be empty")


def _choice(request: dict[str, Any], name: str, choices: tuple[str, ...], problems: Problems) -> None:
    if name in request and request[name] not in choices:
        _add(problems, name, request[name], f"must be one of {', '.join(choices)}")


def _flag(request: dict[str, Any], name: str, problems: Problems) -> None:
    if name in request and not isinstance(request[name], bool):
        _add(problems, name, request[name], "must be true or false")


def _seconds(
    request: dict[str, Any], name: str, least: int, most: int, problems: Problems, *, required: bool = False
) -> None:
    value = request.get(name)
    if value is None:
        if required:
            _add(problems, name, None, "is required")
    elif isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        _add(problems, name, value, f"must be a whole number of seconds from {least} to {most}")


def _combinations(request: dict[str, Any], problems: Problems, *, current: bool) -> None:
    if request.get("resolution") == "540p":
        if request.get("quality") == "high":
            _add(problems, "quality", "high", "cannot be high with resolution 540p")
        if request.get("lip_sync") is True:
            _add(problems, "lip_sync", True, "cannot be true with resolution 540p")
    if current and request.get("lip_sync") is True and "lip_ref_url" not in request:
        _add(problems, "lip_ref_url", None, "is required when lip_sync is true")
