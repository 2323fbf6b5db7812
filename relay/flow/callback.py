"""Calls customers' endpoints: signed in Beat API's way and in that of Standard Webhooks, the same id on every try."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.answers import read_answer, retry_after, unreachable
from connectors.base import Connector, ConnectorConfig, Delivery, DeliveryError, Gone, Outcome, Reject, Retry
from connectors.standard_webhooks import decode_secret, sign
from relay.clock import Clock
from relay.contract import encode
from relay.journal import LOST, EndpointRow, Entry, Journal, Notice

from .endpoints import ENDPOINT, Endpoints
from .telling import SAMPLE_REQUEST, SAMPLE_TASK, event_body, flat_event, sample

log = logging.getLogger("beatrelay")

PATIENCE = 5 * 86400.0
"""Seconds of nothing but failures after which an endpoint is disabled."""
_WRONG_SIGNATURE = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class NoConfig(ConnectorConfig):
    """The endpoint says where to; the event says what."""


class Callback(Connector):
    """At least once; the receiver tells a repeat by ``webhook-id``, the event's id, which never changes."""

    name: ClassVar[str] = ENDPOINT
    Config = NoConfig

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        endpoints: Endpoints,
        timeout: float,
        http: httpx.AsyncClient,
        own_url: str,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._endpoints = endpoints
        self._http = http
        self._own_url = own_url
        self._timeout = timeout * 0.9
        """Less than what the whole attempt may take, so that a failure for want of time is noted, too."""

    async def deliver(self, config: NoConfig, delivery: Delivery) -> Outcome:  # noqa: ARG002 (the base's signature)
        endpoint = await self._endpoint(delivery.key)
        try:
            async with asyncio.timeout(self._timeout):
                outcome = await self._call(endpoint, delivery.event, delivery.at)
        except TimeoutError:
            error: DeliveryError = Retry(f"the receiver took longer than {self._timeout:g} s")
        except DeliveryError as refusal:
            error = refusal
        else:
            if endpoint.failing_since is not None:
                await self._journal.endpoints.delivered(endpoint.id)
            return outcome
        await self._failed(endpoint, delivery, error)
        raise error

    async def test(self, endpoint: EndpointRow) -> tuple[bool, str]:
        """Send a sample, signed as a real event is; whether it landed, and a sentence for people. Whatever comes of it
        counts neither for nor against the endpoint."""
        event = sample(endpoint.events.split()[0], self._own_url)
        event |= {"id": self._clock.new_id("evt_sample"), "created_at": int(self._clock.now())}
        try:
            async with asyncio.timeout(self._timeout):
                outcome = await self._call(endpoint, event, int(self._clock.wall()))
        except TimeoutError:
            return False, f"The test failed: the receiver took longer than {self._timeout:g} s."
        except DeliveryError as error:
            return False, f"The test failed: {error.reason}."
        return True, f"The receiver answered {outcome.detail['status']} to a sample of {event['type']}."

    async def _endpoint(self, key: str) -> EndpointRow:
        row = await self._journal.deliveries.get(key)
        endpoint = await self._journal.endpoints.get(row.step) if row else None
        if endpoint is None:
            raise Reject("the endpoint was deleted")
        if endpoint.status != "active":
            raise Reject("the endpoint is disabled; make it active, then replay what it missed")
        return endpoint

    async def _call(self, endpoint: EndpointRow, event: Mapping[str, Any], at: int) -> Outcome:
        body = encode(await self._body(endpoint, event))
        if endpoint.secret == LOST:
            raise Retry(
                "the endpoint's secret is lost, so nothing can be signed; give it a new one, and its receiver too"
            )
        secrets = self._endpoints.secrets(endpoint)
        # `x-beatapi-signature` has room for one signature: the old secret's, for as long as the receiver takes it.
        for secret in reversed(secrets):
            headers = _headers(event, at, body, secret, secrets)
            try:
                async with self._http.stream("POST", endpoint.url, content=body, headers=headers) as response:
                    text, truncated = await read_answer(response)
            except (httpx.InvalidURL, httpx.TransportError) as error:
                raise unreachable(error) from error
            detail = {"status": response.status_code, "response": text, "truncated": truncated}
            if response.status_code not in _WRONG_SIGNATURE or secret == secrets[0]:
                return _judged(response, at, detail)
        raise AssertionError("an endpoint has at least one secret")

    async def _body(self, endpoint: EndpointRow, event: Mapping[str, Any]) -> dict[str, Any]:
        if endpoint.kind == "webhook":
            return event_body(event)
        if event["task"]["id"] == SAMPLE_TASK:
            return flat_event(event, SAMPLE_REQUEST)
        task = await self._journal.tasks.get(event["task"]["id"])
        assert task is not None, "a delivery is written together with its task"
        return flat_event(event, msgspec.json.decode(task.request))

    async def _failed(self, endpoint: EndpointRow, delivery: Delivery, error: DeliveryError) -> None:
        now = self._clock.now()
        if isinstance(error, Gone):
            await self._give_up(endpoint, delivery, "its receiver answered 410: it is gone for good")
            return
        known = await self._journal.endpoints.failed(endpoint.id, now)
        if known is not None and known.failing_since is not None and now - known.failing_since >= PATIENCE:
            days = PATIENCE / 86400
            await self._give_up(endpoint, delivery, f"every delivery failed for {days:g} days ({error.reason})")

    async def _give_up(self, endpoint: EndpointRow, delivery: Delivery, reason: str) -> None:
        now, host = self._clock.now(), urlsplit(endpoint.url).hostname
        what, done = ("Webhook endpoint", "disabled") if endpoint.kind == "webhook" else ("Hook", "removed")
        text = f"{what} {endpoint.id} at {host} was {done}: {reason}."
        kind = f"{ENDPOINT}.{done}"
        notice = Notice(
            id=self._clock.new_id("ntc"), at=now, kind=kind, about=endpoint.id, owner=endpoint.owner, text=text
        )
        data = {"endpoint": endpoint.id, "delivery": delivery.key, "reason": reason, "text": text}
        entry = Entry(task_id=delivery.event["task"]["id"], at=now, kind=kind, data=data)
        if await self._journal.endpoints.give_up(endpoint.id, reason, notice, entry):
            log.warning("%s", text)


def _headers(event: Mapping[str, Any], now: int, body: bytes, secret: str, secrets: list[str]) -> dict[str, str]:
    at = str(now)
    return {
        "content-type": "application/json; charset=utf-8",
        "x-beatapi-event": event["type"],
        "x-beatapi-timestamp": at,
        "x-beatapi-signature": beatapi_signature(secret, at, body),
        "webhook-id": event["id"],
        "webhook-timestamp": at,
        "webhook-signature": sign([decode_secret(one) for one in secrets], event["id"], now, body),
        "idempotency-key": event["id"],
    }


def beatapi_signature(secret: str, timestamp: str, body: bytes) -> str:
    """Beat API's own signature: lowercase hex HMAC-SHA256 of ``timestamp.body``, keyed with the whole secret."""
    return hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hex()


def _judged(response: httpx.Response, at: float, detail: dict[str, Any]) -> Outcome:
    """2xx is success and 410 the end; a redirect is not followed; all else may pass, so it is tried again."""
    status = response.status_code
    if response.is_success:
        return Outcome(detail=detail)
    if status == HTTPStatus.GONE:
        raise Gone("the receiver answered 410: it is gone for good", detail=detail)
    if response.is_redirect:
        raise Retry(f"the receiver answered {status}, a redirect, which is not followed", detail=detail)
    raise Retry(f"the receiver answered {status}", after=retry_after(response.headers, at), detail=detail)
