"""A JSON POST to any URL, signed by Standard Webhooks."""

import email.utils
import json
import time
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar

import httpx
import msgspec
from msgspec import UNSET, UnsetType, field

from .base import Connector, ConnectorConfig, Delivery, Gone, Outcome, Reject, Retry
from .standard_webhooks import decode_secret, sign

RESPONSE_LIMIT = 16 * 1024
_OURS = {"host", "content-length", "transfer-encoding", "webhook-id", "webhook-timestamp", "webhook-signature"}
_encoder = msgspec.json.Encoder(decimal_format="number")


class HttpConfig(ConnectorConfig):
    """``with:`` of a step that uses ``http``."""

    url: str | None = None
    """Where to post; default: the connection's ``url``."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Any | UnsetType = UNSET
    """What to post; default: the event."""


class Http(Connector):
    """Post JSON. At least once; the receiver tells a repeat by ``webhook-id``, which never changes."""

    name: ClassVar[str] = "http"
    Config = HttpConfig

    async def deliver(self, config: HttpConfig, delivery: Delivery) -> Outcome:
        url = config.url or delivery.connection.get("url")
        if not url:
            raise Reject("there is no `url`: give one in the step's `with:` or in its connection")
        body = _encoder.encode(delivery.event if config.body is UNSET else config.body)
        headers = {**_headers(config), **_signed(delivery, body)}
        try:
            async with delivery.http.stream("POST", url, content=body, headers=headers) as response:
                text, truncated = await _read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Reject(f"the url is not one that can be posted to: {error}") from error
        except httpx.TransportError as error:
            raise Retry(f"the connection failed: {str(error) or type(error).__name__}") from error
        detail: dict[str, Any] = {"status": response.status_code, "response": text, "truncated": truncated}
        _judge(response, detail)
        if not truncated and "json" in response.headers.get("content-type", ""):
            detail["json"] = _json(text)
        return Outcome(detail=detail)


def _headers(config: HttpConfig) -> dict[str, str]:
    headers = {name.lower(): value for name, value in config.headers.items()}
    taken = sorted(_OURS & headers.keys())
    if taken:
        raise Reject(f"the header {taken[0]} is set by the relay; remove it from the step's `headers:`")
    return {"content-type": "application/json; charset=utf-8", **headers}


def _signed(delivery: Delivery, body: bytes) -> dict[str, str]:
    headers = {"idempotency-key": delivery.key, "webhook-id": delivery.key, "webhook-timestamp": str(delivery.at)}
    secrets = delivery.connection.get("secret", "").replace(",", " ").split()
    if secrets:
        try:
            keys = [decode_secret(secret) for secret in secrets]
        except ValueError as error:
            raise Reject(f"the connection's `secret` cannot be used: {error}") from error
        headers["webhook-signature"] = sign(keys, delivery.key, delivery.at, body)
    return headers


async def _read(response: httpx.Response) -> tuple[str, bool]:
    kept = bytearray()
    async for chunk in response.aiter_bytes():
        kept += chunk
        if len(kept) > RESPONSE_LIMIT:
            return bytes(kept[:RESPONSE_LIMIT]).decode("utf-8", "replace"), True
    return bytes(kept).decode("utf-8", "replace"), False


def _judge(response: httpx.Response, detail: dict[str, Any]) -> None:
    """2xx is success, 410 the end, a redirect is refused; all else may pass, so it is tried again."""
    status = response.status_code
    if response.is_success:
        return
    if status == HTTPStatus.GONE:
        raise Gone("the receiver answered 410: it is gone for good", detail=detail)
    if response.is_redirect:
        raise Reject(
            f"the receiver answered {status}, a redirect, which is not followed; put the final URL in the recipe",
            detail=detail,
        )
    raise Retry(f"the receiver answered {status}", after=_after(response), detail=detail)


def _after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    at = email.utils.parsedate_to_datetime(value) if "," in value else None
    return max(0.0, at.timestamp() - time.time()) if at else None


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return None
