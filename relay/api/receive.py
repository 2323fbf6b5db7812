"""``POST /webhooks/beatapi`` as a bare ASGI route: the busiest door, so nothing stands between it and the inbox."""

from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from relay.flow.inbox import MOST_BYTES, READ_HEADERS, Inbox
from relay.journal import JournalError

from .errors import COME_BACK

PATH = "/webhooks/beatapi"
_BODIES = {
    200: b"",
    202: b"",
    400: b'{"error":{"code":"bad_request","message":"The body is not an event."}}',
    401: b'{"error":{"code":"invalid_signature","message":"The signature or its timestamp is not valid."}}',
    405: b'{"error":{"code":"method_not_allowed","message":"Send a POST."}}',
    413: b'{"error":{"code":"payload_too_large","message":"The body is larger than 1 MiB."}}',
    503: b'{"error":{"code":"processing_unavailable","message":"It could not be written down; send it again.",'
    b'"retryable":true,"retry_after_seconds":%d}}' % COME_BACK,
}
_HEADERS = {
    status: [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    for status, body in _BODIES.items()
}
_HEADERS[503].append((b"retry-after", str(COME_BACK).encode()))


_READ = {name.encode(): name for name in READ_HEADERS}


def webhook_route(inbox: Inbox) -> ASGIApp:
    """The route. It answers 2xx only once the receipt is on disk."""

    async def receive_webhook(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # type: ignore[typeddict-item]  # a mounted route sees HTTP only
            await _answer(send, 405)
            return
        headers = {_READ[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
        body, oversized = await _read(headers, receive)
        try:
            reply = await inbox.receive(headers, body, oversized=oversized)
        except JournalError:
            await _answer(send, 503)
            return
        await _answer(send, reply.status)

    return receive_webhook


async def _read(headers: dict[str, str], receive: Receive) -> tuple[bytes, bool]:
    """The body, cut off at the limit."""
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > MOST_BYTES:
        return b"", True
    message: Any = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return body[:MOST_BYTES], True
    return body, False


async def _answer(send: Send, status: int) -> None:
    start: Any = {"type": "http.response.start", "status": status, "headers": _HEADERS[status]}
    end: Any = {"type": "http.response.body", "body": _BODIES[status], "more_body": False}
    await send(start)
    await send(end)
