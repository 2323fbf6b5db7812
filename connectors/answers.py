"""How a destination's HTTP answer is read: never whole, never believed to be text, its wishes understood."""

import json
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .base import Reject, Retry

ANSWER_LIMIT = 16 * 1024
"""Bytes of an answer that are read and kept."""


async def read_answer(response: httpx.Response, limit: int = ANSWER_LIMIT) -> tuple[str, bool]:
    """The first ``limit`` bytes of a streamed answer as text, and whether there was more. The rest is not read."""
    kept = bytearray()
    async for chunk in response.aiter_bytes():
        kept += chunk
        if len(kept) > limit:
            return bytes(kept[:limit]).decode("utf-8", "replace"), True
    return bytes(kept).decode("utf-8", "replace"), False


def answer_json(text: str) -> Any:
    """The answer as JSON, numbers exact; ``None`` if it is none."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def retry_after(headers: httpx.Headers, at: float) -> float | None:
    """Seconds that ``Retry-After`` asks to wait, seen from ``at`` (Unix seconds); ``None`` if it says nothing that
    can be understood."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    moment = _date(value)
    return max(0.0, moment.timestamp() - at) if moment else None


def unreachable(error: httpx.HTTPError | httpx.InvalidURL) -> Retry | Reject:
    """What a request that got no answer means: a URL that cannot be one is final, all else may pass."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Reject(f"the url is not one that can be requested: {error}")
    return Retry(f"the connection failed: {str(error) or type(error).__name__}")


def _date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
