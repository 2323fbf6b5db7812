"""Serves files with ranges, and broken ones on demand."""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from .errors import Cut, Refusal

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
HTML = b"<!doctype html><title>Not here</title><p>This object has moved."


def serve(request: Request[Any, Any, Any], content: bytes, mime: str) -> Response[Any]:
    """Answer GET and HEAD, whole or a range."""
    headers = {
        "accept-ranges": "bytes",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": "public, max-age=3600",
    }
    asked = request.headers.get("range")
    status, part = 200, content
    if asked:
        first, last = _part(asked, len(content), headers)
        status, part = 206, content[first : last + 1]
        headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    headers["content-length"] = str(len(part))
    if request.method == "HEAD":
        part = b""
    return Response(part, status_code=status, headers=headers, media_type=mime)


def truncated(content: bytes) -> Response[Any]:
    """Declare all of it, send half, and hang up."""

    async def half() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        raise Cut

    return Stream(half(), headers={"content-length": str(len(content))}, media_type="video/mp4")


def _part(asked: str, size: int, headers: dict[str, str]) -> tuple[int, int]:
    match = _RANGE.fullmatch(asked.strip())
    first, last = match.groups() if match else ("", "")
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    elif last:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = size, size
    if start > end or start >= size:
        headers["content-range"] = f"bytes */{size}"
        raise Refusal(416, "bad_request", f"The range {asked!r} is not inside the {size} bytes of this file.")
    return start, end
