"""Every refusal leaves in the contract's envelope, with a code, a sentence and a request id; never a trace."""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import UNSET, UnsetType

from relay.clock import SystemClock
from relay.contract import ErrorBody, ErrorEnvelope, encode
from relay.disk import trouble_of
from relay.journal import Unavailable

log = logging.getLogger("beatrelay")
_clock = SystemClock()

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "idempotency_conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
    503: "processing_unavailable",
}


COME_BACK = 10
"""Seconds after which a client may ask again while the disk fails."""


class ApiError(Exception):
    """A refusal with its status, code and sentence."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: Any = UNSET,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(code=code or _CODES.get(status, "bad_request"), message=message, details=details)
        if retry_after is not None:
            self.body.retry_after_seconds = retry_after


def new_request_id() -> str:
    """An id by which a refusal can be talked about."""
    return _clock.new_id("req")


def answer(status: int, body: ErrorBody) -> Response[bytes]:
    """The envelope around ``body``, with a fresh request id."""
    body.request_id = new_request_id()
    body.retryable = status in (429, 500, 503)
    headers = {"cache-control": "no-store"}
    if not isinstance(body.retry_after_seconds, UnsetType):
        headers["retry-after"] = str(max(1, round(body.retry_after_seconds)))
    return Response(encode(ErrorEnvelope(body)), status_code=status, media_type="application/json", headers=headers)


def on_api_error(_: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
    """A refusal of our own."""
    return answer(error.status, error.body)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A refusal of the framework's: no such path, wrong method, a body that does not fit."""
    if error.status_code >= 500:
        return on_any_error(request, error)
    message = error.detail
    details: Any = UNSET
    if isinstance(error, ValidationException):
        cause = error.__cause__ or error.__context__
        if isinstance(cause, msgspec.ValidationError | msgspec.DecodeError):
            message = f"The request body is invalid: {cause}"
        details = error.extra or UNSET
    body = ErrorBody(_CODES.get(error.status_code, "bad_request"), message, details=details)
    return answer(error.status_code, body)


def on_unavailable(_: Request[Any, Any, Any], error: Unavailable) -> Response[bytes]:
    """The journal cannot be used now. It has logged that itself, once."""
    return answer(503, come_back(error))


def on_os_error(request: Request[Any, Any, Any], error: OSError) -> Response[bytes]:
    """A disk that takes no file is nobody's bug."""
    if trouble_of(error) is None:
        return on_any_error(request, error)
    return answer(503, come_back(error))


def come_back(error: Unavailable | OSError) -> ErrorBody:
    """What is said of a disk that fails: which way, and that the same may be sent again."""
    trouble = f"a file could not be stored: {trouble_of(error)}" if isinstance(error, OSError) else str(error)
    message = f"{trouble[:1].upper()}{trouble[1:]}. Nothing was taken in; send the same again later."
    return ErrorBody("processing_unavailable", message, retry_after_seconds=COME_BACK)


def on_any_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Our own fault: logged in full, told in one sentence."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(500, ErrorBody("internal_error", "The relay failed to answer; its log says why."))


HANDLERS: Any = {
    ApiError: on_api_error,
    HTTPException: on_http_error,
    Unavailable: on_unavailable,
    OSError: on_os_error,
    Exception: on_any_error,
}
