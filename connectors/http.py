"""A JSON POST to any URL, signed by Standard Webhooks."""

from http import HTTPStatus
from typing import Annotated, Any, ClassVar

import httpx
import msgspec
from msgspec import UNSET, UnsetType, field

from .answers import answer_json, read_answer, retry_after, unreachable
from .base import SECRET, ConnectionSettings, Connector, ConnectorConfig, Delivery, Gone, Outcome, Reject, Retry
from .standard_webhooks import decode_secret, sign

_OURS = {"host", "content-length", "transfer-encoding", "webhook-id", "webhook-timestamp", "webhook-signature"}
_encoder = msgspec.json.Encoder(decimal_format="number")


class HttpConfig(ConnectorConfig):
    """``with:`` of a step that uses ``http``."""

    url: str | None = None
    """Where to post; default: the connection's ``url``."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Any | UnsetType = UNSET
    """What to post; default: the event."""


class HttpConnection(ConnectionSettings):
    """What an ``http`` connection holds."""

    url: Annotated[str, SECRET] = ""
    """Where to post, if the step does not say. Whoever knows such a URL can post to it, so it is a secret."""
    secret: Annotated[str, SECRET] = ""
    """``whsec_…``: signs by Standard Webhooks; several during a rotation, the new one first."""


class Http(Connector):
    """Post JSON. At least once; the receiver tells a repeat by ``webhook-id``, which never changes."""

    name: ClassVar[str] = "http"
    Config = HttpConfig
    Connection = HttpConnection

    async def deliver(self, config: HttpConfig, delivery: Delivery) -> Outcome:
        url = config.url or delivery.connection.get("url")
        if not url:
            raise Reject("there is no `url`: give one in the step's `with:` or in its connection")
        body = _encoder.encode(delivery.event if config.body is UNSET else config.body)
        headers = {**_headers(config), **_signed(delivery, body)}
        try:
            async with delivery.http.stream("POST", url, content=body, headers=headers) as response:
                text, truncated = await read_answer(response)
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        detail: dict[str, Any] = {"status": response.status_code, "response": text, "truncated": truncated}
        _judge(response, delivery.at, detail)
        if not truncated and "json" in response.headers.get("content-type", ""):
            detail["json"] = answer_json(text)
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


def _judge(response: httpx.Response, at: float, detail: dict[str, Any]) -> None:
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
    raise Retry(f"the receiver answered {status}", after=retry_after(response.headers, at), detail=detail)
