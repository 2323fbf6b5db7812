"""Finished files by an unguessable link, with ranges, so that players can seek and downloads can resume."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
from litestar import HttpMethod, Request, Response, get, route
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath
from litestar.response import Stream

from relay.contract import ErrorEnvelope
from relay.flow.archive import CHUNK, MediaStore
from relay.journal import Journal

from .errors import ApiError
from .parts import TheJournal, TheStore

PART = ResponseSpec(bytes, description="The part that was asked for.", generate_examples=False)
NONE = ResponseSpec(ErrorEnvelope, description="There is no such file.", generate_examples=False)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


_PATH = "/media/{media_id:str}/{name:str}"


@get(_PATH, tags=["Media"], operation_id="getMedia", summary="Read a finished file", responses={206: PART, 404: NONE})
async def get_media(
    request: Request[Any, Any, Any], media_id: FromPath[str], name: FromPath[str], journal: TheJournal, store: TheStore
) -> Response[Any]:
    """The file as archived. Answers `Range` requests; the link is the permission."""
    return await _serve(request, media_id, name, journal, store)


@route(_PATH, http_method=HttpMethod.HEAD, include_in_schema=False)
async def head_media(
    request: Request[Any, Any, Any], media_id: FromPath[str], name: FromPath[str], journal: TheJournal, store: TheStore
) -> Response[Any]:
    """The same, without the file."""
    return await _serve(request, media_id, name, journal, store)


async def _serve(
    request: Request[Any, Any, Any], media_id: str, name: str, journal: Journal, store: MediaStore
) -> Response[Any]:
    media = await journal.deliveries.media(media_id)
    if media is None or media.name != name:
        raise ApiError(404, "There is no such file.")
    stored = store.open(media)
    if not await anyio.Path(stored.file).is_file():
        raise ApiError(404, "The file is no longer in the media store.")
    headers = {
        "accept-ranges": "bytes",
        "etag": f'"{media.sha256[:32]}"',
        "cache-control": "private, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "content-disposition": f'inline; filename="{media.name}"',
    }
    asked = request.headers.get("range")
    if asked and request.headers.get("if-range", headers["etag"]) != headers["etag"]:
        asked = None
    first, last = byte_range(asked, media.size) if asked else (0, media.size - 1)
    status = 206 if asked else 200
    if asked:
        headers["content-range"] = f"bytes {first}-{last}/{media.size}"
    headers["content-length"] = str(last - first + 1)
    if request.method == "HEAD":
        return Response(b"", status_code=status, headers=headers, media_type=media.mime_type)
    return Stream(_part(stored.file, first, last), status_code=status, headers=headers, media_type=media.mime_type)


def byte_range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of a single range. Raises :class:`ApiError` 416 if it lies outside the file."""
    match = _RANGE.fullmatch(text.replace(" ", ""))
    first, last = (match.group(1), match.group(2)) if match else ("", "")
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    elif last:
        start, end = max(0, size - int(last)), size - 1
    else:
        raise ApiError(416, f"The range {text[:80]!r} is not one range of bytes.", code="range_not_satisfiable")
    if start > end or start >= size:
        raise ApiError(416, f"The range {text[:80]!r} is outside the file.", code="range_not_satisfiable")
    return start, end


async def _part(file: Path, first: int, last: int) -> AsyncIterator[bytes]:
    async with await anyio.open_file(file, "rb") as stream:
        await stream.seek(first)
        left = last - first + 1
        while left > 0 and (chunk := await stream.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
