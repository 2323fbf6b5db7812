"""Who may ask: a bearer key, compared in constant time."""

import hmac
from collections.abc import Sequence
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from .errors import ApiError


def require_key(keys: Sequence[str]) -> Any:
    """A guard that lets only requests with one of ``keys`` pass. Without any key nobody passes."""
    known = [key.encode() for key in keys]

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        token = given.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
        matches = [hmac.compare_digest(token, key) for key in known]
        if not token:
            raise ApiError(401, "Missing API key: send `Authorization: Bearer <key>`.")
        if not any(matches):
            raise ApiError(401, "Invalid API key: it is neither in BEATRELAY_API_KEYS nor the Beat API key.")

    return guard
