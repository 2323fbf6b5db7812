"""Slack's Web API over the relay's guarded client: forms in, JSON out, as Slack's own client does it."""

import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, cast

import httpx

from connectors.answers import answer_json, read_answer, retry_after, unreachable
from connectors.base import Reject, Retry

from .errors import refusal
from .settings import SlackConnection

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes: a page of history with its blocks."""
_UPLOAD_TIMES = httpx.Timeout(60.0, connect=5.0, read=300.0)


class Api:
    """One workspace, as one bot. Raises :class:`Retry` and :class:`Refused`."""

    def __init__(self, connection: SlackConnection, http: httpx.AsyncClient, at: float) -> None:
        self._connection = connection
        self._http = http
        self._at = at
        self.scopes: frozenset[str] | None = None
        """What the token may do, as the last answer told; ``None`` if it did not."""

    @property
    def workspace(self) -> str:
        """What Slack's limits are counted for: tells one connection's workspace from another's; secret."""
        return self._connection.webhook_url or self._connection.token

    async def call(self, method: str, **fields: Any) -> dict[str, Any]:
        """The answer of ``method``; fields that are ``None`` are left out, structures go as JSON."""
        form = {name: _text(value) for name, value in fields.items() if value is not None}
        url = f"{self._connection.api_url.rstrip('/')}/{method}"
        headers = {"authorization": f"Bearer {self._connection.token}"}
        status, text = await self._send(method, url, headers=headers, data=form)
        answer = answer_json(text)
        if not isinstance(answer, dict):
            raise Retry(f"{method}: Slack answered {status} with something that is no JSON", detail={"status": status})
        known = cast("dict[str, Any]", answer)
        if known.get("ok") is not True:
            raise refusal(method, known)
        return known

    async def channel_id(self, channel: str) -> str:
        """The id of a channel given as ``#name``; an id stays as it is."""
        if not channel.startswith("#"):
            return channel
        cursor: str | None = None
        while True:
            answer = await self.call(
                "conversations.list", types="public_channel,private_channel", limit="200", cursor=cursor
            )
            for known in answer.get("channels", []):
                if known.get("name") == channel[1:]:
                    return str(known["id"])
            cursor = next_page(answer)
            if cursor is None:
                raise Retry(f"the channel {channel} is not among those that the bot can see: /invite the bot there")

    async def webhook(self, message: Mapping[str, Any]) -> None:
        """Post through the incoming webhook."""
        try:
            status, text = await self._send("the webhook", self._connection.webhook_url, json=dict(message))
        except Reject as error:
            raise Reject("the connection's `webhook_url` cannot be requested; copy it again from Slack") from error
        if status != HTTPStatus.OK:
            raise refusal("the webhook", {"error": text[:100].strip() or f"status_{status}"})

    async def upload(self, url: str, chunks: AsyncIterator[bytes], size: int) -> None:
        """The bytes of a file to the address that Slack gave for it."""
        headers = {"content-type": "application/octet-stream", "content-length": str(size)}
        status, text = await self._send("the upload", url, headers=headers, content=chunks, timeout=_UPLOAD_TIMES)
        if status != HTTPStatus.OK:
            raise Retry(f"the upload: Slack answered {status}", detail={"status": status, "response": text[:500]})

    async def _send(self, what: str, url: str, **how: Any) -> tuple[int, str]:
        try:
            async with self._http.stream("POST", url, **how) as response:
                text, _ = await read_answer(response, ANSWER_LIMIT)
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        told = response.headers.get("x-oauth-scopes")
        self.scopes = None if told is None else frozenset(told.replace(",", " ").split())
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            after = retry_after(response.headers, self._at)
            raise Retry(f"{what}: Slack answered {status}", after=after, detail={"status": status})
        return status, text


def next_page(answer: Mapping[str, Any]) -> str | None:
    """Where the next page begins; ``None`` after the last."""
    metadata: Mapping[str, Any] = answer.get("response_metadata") or {}
    return metadata.get("next_cursor") or None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
