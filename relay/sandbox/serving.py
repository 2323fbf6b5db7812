"""Serves files with ranges, and broken ones on demand."""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response
from litestar.response import Stream

from .errors import Cut, Refusal

_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})|bytes=-(\d{1,15})", re.ASCII)
HTML = b"<!doctype html><title>Not here</title><p>This object has moved."


def serve(request: Request[Any, Any, Any], content: bytes, mime: str) -> Response[Any]:
    """Answer GET and HEAD, whole or a range."""
    headers = {
        "accept-ranges": "bytes",
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": "public, max-age=3600",
    }
    status, part = 200, content
    asked = _asked(request.headers.get("range", ""), len(content))
    if asked and request.headers.get("if-range", headers["etag"]) == headers["etag"]:
        first, last = asked
        if first > last:
            refusal = Refusal(416, "bad_request", f"This file has {len(content)} bytes; none of them is in that range.")
            refusal.headers["content-range"] = f"bytes */{len(content)}"
            raise refusal
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


def _asked(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range; the first is beyond the last where nothing can be given. ``None``: none asked
    for, or one that HTTP lets a server overlook (several ranges at once, another unit, an end before its beginning).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(0, size - int(suffix)), size - 1
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1
