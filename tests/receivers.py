"""Receivers as customers write them: they take only what is signed as it should be."""

import hashlib
import hmac
import json
import threading
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

TOLERANCE = 300


def official(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Beat API's own recipe: hex HMAC-SHA256 of ``timestamp.body``, the whole secret as key, 300 s either way."""
    timestamp = headers.get("x-beatapi-timestamp", "")
    if not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE:
        return False
    wanted = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, headers.get("x-beatapi-signature", ""))


def standard(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """The reference library of Standard Webhooks."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


class Strict:
    """Answers 401 to what ``check`` does not accept, and remembers what it took."""

    def __init__(self) -> None:
        self.check: Any = lambda headers, body: True
        self.answers: list[int] = []
        """Answered before anything is checked."""
        self.seen: list[tuple[dict[str, str], bytes, int]] = []
        self._lock = threading.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        with self._lock:
            status = self.answers.pop(0) if self.answers else (204 if self.check(headers, body) else 401)
            self.seen.append((headers, body, status))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def taken(self) -> list[dict[str, Any]]:
        """The bodies that were accepted."""
        return [json.loads(body) for _, body, status in self.seen if status < 300]
