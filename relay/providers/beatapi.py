"""Beat API: the contract itself, so almost nothing is translated."""

import asyncio
import copy
import hashlib
import hmac
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from relay.contract import Account, Data, ErrorBody, ErrorEnvelope, Task, Unit, decode, encode
from relay.contract.files import CURRENT, LAUNCH, FileRules

from .base import (
    Busy,
    CreateAnswer,
    FetchAnswer,
    Forged,
    Genuine,
    Hint,
    Lack,
    MalformedWebhook,
    Missing,
    Passed,
    Refused,
    Standing,
    Told,
    Unclear,
)

T = TypeVar("T")
Contract = Literal["auto", "launch", "current"]
# Waiting mends these without anybody changing the request: no slot, no money, or a key that is being renewed.
_HOLD: dict[int, Lack] = {401: "account", 402: "balance", 403: "account", 429: "account"}
# Said to the relay, not to who asked it: its key is not valid, it asked too often.
_OURS = {401, 429}


class NoKey(httpx.TransportError):
    """Nothing can be asked yet."""


_NEVER_SENT = (NoKey, httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class _RawTask(msgspec.Struct):
    data: msgspec.Raw


class _TaskHead(msgspec.Struct):
    id: str
    status: str


class _EventHead(msgspec.Struct):
    """As much of an event as is needed to answer it: the busiest door decodes no more than it must."""

    id: str
    event: str
    data: _TaskHead


_decode_head = msgspec.json.Decoder(_EventHead).decode


class BeatApi:
    """A Beat API account. ``secrets`` are its webhook secrets: several during a rotation, any may match.
    ``timeout`` limits each call as a whole, in seconds; an upload has a limit of its own."""

    name = "beatapi"
    webhooks: Literal["news", "hint", "none"] = "hint"

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: str,
        secrets: Sequence[str],
        *,
        contract: Contract = "auto",
        polls_per_minute: int = 120,
        timeout: float = 20.0,
        upload_timeout: float = 600.0,
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._api_key = ""
        self._secrets: list[bytes] = []
        self._told_contract = self._contract = contract
        self.use(api_key=api_key, secrets=secrets)
        self.polls_per_minute = polls_per_minute
        self._timeout, self._upload_timeout = timeout, upload_timeout

    def use(self, *, api_key: str | None = None, secrets: Sequence[str] | None = None) -> None:
        if api_key is not None:
            self._api_key, self._contract = api_key, self._told_contract
        if secrets is not None:
            self._secrets = [secret.encode() for secret in secrets]

    def with_key(self, api_key: str) -> "BeatApi":
        other = copy.copy(self)
        other.use(api_key=api_key)
        return other

    async def idempotent_create(self) -> bool:
        """The current contract honours keys, launch ignores them. ``period`` in the usage tells them apart;
        while that cannot be asked, the careful answer is no, and it is asked again next time."""
        if self._contract == "auto":
            try:
                response = await self._send("GET", "/v1/usage")
                usage = decode(response.content, Data[dict[str, Any]]).data
            except (httpx.HTTPError, msgspec.MsgspecError, UnicodeDecodeError):
                return False
            if response.status_code != HTTPStatus.OK:
                return False
            self._contract = "current" if "period" in usage else "launch"
        return self._contract == "current"

    async def create(self, workflow: str, body: str, key: str) -> CreateAnswer:
        return await self._charged(f"/v1/{quote(workflow, safe='')}/tasks", body, key)

    async def operate(
        self, kind: Literal["edit", "compose"], provider_id: str, target: str, body: str, key: str
    ) -> CreateAnswer:
        path = f"/v1/music-video/tasks/{quote(provider_id, safe='')}"
        path += f"/shots/{quote(target, safe='')}/edit" if kind == "edit" else "/compose"
        return await self._charged(path, body, key)

    async def shot_media(self, provider_id: str, target: str) -> Passed:
        path = f"/v1/music-video/tasks/{quote(provider_id, safe='')}/shots/{quote(target, safe='')}/media"
        return await self._passed("POST", path)

    async def usage(self) -> Passed:
        return await self._passed("GET", "/v1/usage")

    async def standing(self) -> Standing | Unclear:
        try:
            response = await self._send("GET", "/v1/usage?period=all" if self._contract == "current" else "/v1/usage")
            if response.status_code != HTTPStatus.OK:
                return Unclear(_words(response, _error(response)))
            account = decode(response.content, Data[Account]).data
        except (httpx.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Unclear(f"the account could not be read: {_why(error)}")
        if self._contract == "auto":
            self._contract = "launch" if account.period is msgspec.UNSET else "current"
        return Standing(
            balance=account.credit_balance,
            unit="usd" if self._contract == "current" else "credits",
            limit=account.concurrency.limit,
            active=account.concurrency.active,
            tasks=account.total_tasks,
            settled=account.credits_settled,
            refunded=account.credits_refunded,
        )

    async def workflows(self) -> Passed:
        return await self._passed("GET", "/v1/workflows")

    async def file_rules(self) -> FileRules:
        return CURRENT if await self.idempotent_create() else LAUNCH

    async def upload(self, file: Path, name: str, mime: str) -> Passed:
        with file.open("rb") as content:  # httpx reads it in parts, and knows its length before the first
            return await self._passed(
                "POST",
                "/v1/files",
                data={"purpose": "input"},
                files={"file": (name, content, mime)},
                limit=self._upload_timeout,
            )

    async def pass_on(
        self, method: Literal["GET", "POST", "DELETE"], path: str, *, query: str = "", body: bytes = b"", key: str = ""
    ) -> Passed:
        headers = {"idempotency-key": key} if key else {}
        if body:
            headers["content-type"] = "application/json"
        return await self._passed(method, path + (f"?{query}" if query else ""), content=body or None, headers=headers)

    async def _passed(self, method: str, path: str, **content: Any) -> Passed:
        try:
            response = await self._send(method, path, **content)
            decode(response.content, dict[str, Any])
        except (httpx.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _unavailable(f"Beat API could not be asked: {_why(error)}.")
        if response.status_code in _OURS or response.is_server_error:
            error = _error(response)
            return _unavailable(f"{_words(response, error).rstrip('.')}.", _after(response, error))
        return Passed(response.status_code, response.content)

    async def _charged(self, path: str, body: str, key: str) -> CreateAnswer:
        """Send what costs money: its answer decides whether it may ever be sent again."""
        headers = {"content-type": "application/json", "idempotency-key": key}
        try:
            response = await self._send("POST", path, content=body.encode(), headers=headers)
        except _NEVER_SENT as error:
            return Busy(f"Beat API could not be reached: {_plain(error)}", "unreachable")
        except httpx.HTTPError as error:
            return Unclear(f"the answer to the create was lost: {_plain(error)}")
        return self._answer_to_create(response)

    async def fetch(self, provider_id: str) -> FetchAnswer:
        try:
            response = await self._send("GET", f"/v1/tasks/{quote(provider_id, safe='')}")
        except httpx.HTTPError as error:
            return Unclear(f"Beat API could not be reached: {_plain(error)}")
        if response.is_success:
            return self._told(response)
        error = _error(response)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return Missing(error.message or "Beat API does not know this task for our key")
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            return Busy(_words(response, error), error.code, _after(response, error))
        return Unclear(_words(response, error), _after(response, error))

    def verify(self, headers: dict[str, str], body: bytes, now: float) -> Genuine | Forged:
        signature, timestamp = headers.get("x-beatapi-signature"), headers.get("x-beatapi-timestamp")
        if not self._secrets:
            return Forged("no webhook secret is configured; set BEATAPI_WEBHOOK_SECRET")
        if not signature or not timestamp:
            return Forged("x-beatapi-signature or x-beatapi-timestamp is missing")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return Forged("x-beatapi-timestamp is not a number of Unix seconds")
        message, given = _message(timestamp, body), signature.encode("utf-8", "replace")
        matches = [  # all are compared, so that time tells nothing about which one matched
            hmac.compare_digest(_signature(secret, message), given) for secret in self._secrets
        ]
        return Genuine(now - int(timestamp)) if any(matches) else Forged("the signature does not match")

    def sign(self, body: bytes, now: float) -> dict[str, str]:
        if not self._secrets:
            return {}
        timestamp = str(int(now))
        signature = _signature(self._secrets[0], _message(timestamp, body))
        return {"x-beatapi-timestamp": timestamp, "x-beatapi-signature": signature.decode()}

    def read_webhook(self, body: bytes) -> Hint:
        try:
            event = _decode_head(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedWebhook(f"the body is not a Beat API event: {error}") from error
        return Hint(event.id, event.event, event.data.id)

    def told_by_webhook(self, body: bytes) -> Told:
        try:
            task = decode(body, Data[Task]).data
            raw = bytes(decode(body, _RawTask).data).decode()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedWebhook(f"the body is not a Beat API event: {error}") from error
        return Told(task, raw, self._unit(task))

    def _unit(self, task: Task) -> Unit:
        """The current contract counts in dollars. Its tasks tell themselves apart before the account was read."""
        if self._contract == "auto":
            return "credits" if task.task_kind is msgspec.UNSET else "usd"
        return "usd" if self._contract == "current" else "credits"

    def _told(self, response: httpx.Response) -> Told | Unclear:
        try:
            task = decode(response.content, Data[Task]).data
            raw = bytes(decode(response.content, _RawTask).data).decode()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Unclear(f"Beat API answered {response.status_code} with something that is not a task: {error}")
        return Told(task, raw, self._unit(task))

    def _answer_to_create(self, response: httpx.Response) -> CreateAnswer:
        if response.is_success:
            return self._told(response)
        error = _error(response)
        words, after = _words(response, error), _after(response, error)
        if response.status_code in _HOLD:
            lack = "slot" if error.code == "user_concurrency_exceeded" else _HOLD[response.status_code]
            return Busy(words, error.code, after, lack)
        if response.status_code == HTTPStatus.CONFLICT:
            # Our keys are never used twice, so the body is the same: the first send is still being worked on.
            return Busy(words, error.code, after or 5.0, "turn")
        if response.is_client_error and response.status_code != HTTPStatus.REQUEST_TIMEOUT:
            return Refused(error, response.status_code)
        return Unclear(words, after)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._api_key}", "accept": "application/json"}

    async def _send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, limit: float = 0.0, **content: Any
    ) -> httpx.Response:
        limit = limit or self._timeout
        if not self._api_key:
            raise NoKey(
                "there is no Beat API key yet; give it one on the dashboard's set-up page, or in BEATAPI_API_KEY"
            )
        request = self._client.build_request(
            method, self._base_url + path, headers={**self._headers(), **(headers or {})}, **content
        )
        try:
            async with asyncio.timeout(limit):  # httpx limits each step; a lease needs a limit to the whole
                return await self._client.send(request)
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole answer within {limit:g} s", request=request) from error


def _message(timestamp: str, body: bytes) -> bytes:
    return timestamp.encode() + b"." + body


def _signature(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, hashlib.sha256).hex().encode()


def _unavailable(message: str, after: float | None = None) -> Passed:
    body = ErrorBody("processing_unavailable", message, retryable=True)
    if after is not None:
        body.retry_after_seconds = after
    return Passed(503, encode(ErrorEnvelope(body)), after)


def _error(response: httpx.Response) -> ErrorBody:
    """The error of the envelope; an edge page that is not JSON becomes one with a code of our own."""
    try:
        return decode(response.content, ErrorEnvelope).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ErrorBody(code=f"http_{response.status_code}", message=response.text[:200])


def _after(response: httpx.Response, error: ErrorBody) -> float | None:
    header = response.headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        return float(header)
    return float(error.retry_after_seconds) if isinstance(error.retry_after_seconds, int | float) else None


def _words(response: httpx.Response, error: ErrorBody) -> str:
    return f"Beat API answered {response.status_code} {error.code}: {error.message}".rstrip(": ")


def _why(error: Exception) -> str:
    """In words that tell no more than they must."""
    return str(error) if isinstance(error, NoKey) else type(error).__name__


def _plain(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
