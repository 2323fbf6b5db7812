"""Answers that are the provider's, passed on as they are."""

from typing import Any

import msgspec
from litestar import Request, Response

from relay.providers import Passed

from .errors import ApiError, new_request_id


def passed_on(passed: Passed) -> Response[Any]:
    """The provider's status and body; an error without a request id gets one of ours."""
    headers = {"cache-control": "no-store"}
    if passed.after is not None:
        headers["retry-after"] = str(max(1, round(passed.after)))
    body: Any = passed.body
    if passed.status >= 400:
        document: dict[str, Any] = msgspec.json.decode(passed.body)
        error: Any = document.get("error")
        if isinstance(error, dict) and not error.get("request_id"):  # pyright: ignore[reportUnknownMemberType]
            error["request_id"] = new_request_id()
            body = msgspec.json.encode(document)
    return Response(body, status_code=passed.status, media_type="application/json", headers=headers)


async def object_body(request: Request[Any, Any, Any]) -> bytes:
    """A body of which only one thing is checked: that it is a JSON object."""
    body = await request.body()
    try:
        msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        details = [{"field": "body", "value": None, "rule": f"must be a JSON object: {error}"}]
        raise ApiError(400, f"body must be a JSON object: {error}.", details=details) from error
    return body
