"""Refusals in the contract's envelope."""

from typing import Any

from litestar import Response
from msgspec import UNSET

from relay.contract import ErrorBody, ErrorEnvelope, encode

RETRYABLE = {429, 500, 502, 503, 504}


class Refusal(Exception):
    """A request that is answered with an error. ``after`` is in seconds."""

    def __init__(self, status: int, code: str, message: str, *, after: int | None = None, details: Any = UNSET) -> None:
        super().__init__(message)
        self.status = status
        self.headers: dict[str, str] = {} if after is None else {"retry-after": str(after)}
        self.body = ErrorBody(
            code=code,
            message=message,
            retryable=status in RETRYABLE,
            retry_after_seconds=UNSET if after is None else after,
            details=details,
        )

    def answer(self, request_id: str) -> Response[bytes]:
        """The HTTP answer."""
        self.body.request_id = request_id
        body = encode(ErrorEnvelope(self.body))
        return Response(body, status_code=self.status, media_type="application/json", headers=self.headers)


class Cut(Exception):
    """The connection is to be closed without an answer."""
