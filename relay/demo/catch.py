"""A small server that catches deliveries and checks their signatures, as a customer's own receiver would."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from relay.serve import listen


class Catch:
    """Counts each task's deliveries, by ``webhook-id``; only those with a valid signature count."""

    def __init__(self) -> None:
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.port = 0
        self.refused = 0
        self._seen: dict[str, set[str]] = {}

    @classmethod
    @asynccontextmanager
    async def serving(cls, say: Callable[[str], None]) -> AsyncGenerator["Catch"]:
        """A catch server on port 8789, or on a free one if that is taken."""
        catch = cls()
        listener = free(8789, say, "catch server")
        catch.port = listener.getsockname()[1]
        config = uvicorn.Config(catch._app, interface="asgi3", log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # Ctrl-C belongs to the demo
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield catch
        finally:
            server.should_exit = True
            await serving

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/caught"

    def caught(self, task_id: str) -> int:
        """How many different deliveries came for a task: 1 is right."""
        return len(self._seen.get(task_id, ()))

    def genuine(self, headers: dict[bytes, bytes], body: bytes) -> bool:
        """Whether the Standard Webhooks signature fits the body, and is fresh."""
        names = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
        if any(name not in headers for name in names):
            return False
        key_id, timestamp, given = (headers[name] for name in names)
        if abs(time.time() - int(timestamp)) > 300:
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = hmac.digest(key, key_id + b"." + timestamp + b"." + body, hashlib.sha256)
        return hmac.compare_digest(b"v1," + base64.b64encode(mac), given)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = dict(scope["headers"])
        status = 204 if self.genuine(headers, body) else 401
        if status == 204:
            self._seen.setdefault(json.loads(body)["task_id"], set()).add(headers[b"webhook-id"].decode())
        else:
            self.refused += 1
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def free(port: int, say: Callable[[str], None], what: str) -> Any:
    """A listening socket on ``port``, or on a free one, which is then said."""
    try:
        return listen("127.0.0.1", port)
    except OSError:
        listener = listen("127.0.0.1", 0)
        say(f"port {port} is in use: the {what} takes {listener.getsockname()[1]}")
        return listener
