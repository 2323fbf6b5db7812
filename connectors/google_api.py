"""Calls to Google's JSON APIs: signed in, read within limits, their errors sorted into later and never."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn, cast

import httpx
import msgspec

from .answers import answer_json, read_answer, retry_after, unreachable
from .base import Reject, Retry
from .google_auth import Account, as_object

READ_LIMIT = 32 * 1024 * 1024
"""Bytes of an answer; a column of a large spreadsheet fits."""
LATER = {
    "userRateLimitExceeded",
    "rateLimitExceeded",
    "sharingRateLimitExceeded",
    "quotaExceeded",
    "dailyLimitExceeded",
    "backendError",
    "internalError",
    "transientError",
}
"""Reasons that pass by waiting, whatever the status says."""
ADVICE = {
    "storageQuotaExceeded": "the Drive is full: make room or choose another account, then replay",
    "teamDriveFileLimitExceeded": "the shared drive holds as many files as Google allows: choose another one",
    "domainPolicy": "a rule of the Workspace domain forbids it: ask its administrator",
    "insufficientFilePermissions": "give the account the role Content manager (shared drive) or Editor on it",
    "appNotAuthorizedToFile": "with the scope drive.file only what this app made or opened can be used",
    "insufficientPermissions": "the token lacks the scope: consent again with the scope that the docs name",
    "accessNotConfigured": "enable the API in the Google Cloud project of the credentials, then replay",
    "SERVICE_DISABLED": "enable the API in the Google Cloud project of the credentials, then replay",
    "notFound": "look at its id, share it with the account, and note that the scope drive.file sees only its own files",
}
"""What a person can do about a reason that waiting does not help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Google said to one request."""

    status: int
    headers: httpx.Headers
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def reason(self) -> str:
        """Google's own word for an error, such as ``storageQuotaExceeded``; empty if it gives none."""
        error = self._error
        words: list[Any] = [entry.get("reason") for entry in _dicts(error.get("errors"))]
        words += [entry.get("reason") for entry in _dicts(error.get("details"))]
        return str(next((word for word in [*words, error.get("status")] if word), ""))

    @property
    def message(self) -> str:
        return str(self._error.get("message", ""))[:500]

    @property
    def _error(self) -> dict[str, Any]:
        return as_object(self.body.get("error"))

    def passes(self) -> bool:
        """Whether waiting helps."""
        soon = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
        return self.status in soon or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.reason in LATER

    def fail(self, doing: str, at: float, todo: str = "") -> NoReturn:
        """Raise what the answer means for ``doing`` ("the upload")."""
        detail = {"status": self.status, "reason": self.reason, "message": self.message}
        said = f"{doing} failed: Google answered {self.status} {self.reason}".rstrip()
        if self.message:
            said += f" ({self.message})"
        if self.passes():
            raise Retry(said, after=retry_after(self.headers, at), detail=detail)
        if self.status == HTTPStatus.UNAUTHORIZED:
            raise Retry(f"{said}, although the token is new", detail=detail)
        todo = todo or ADVICE.get(self.reason, "")
        raise Reject(f"{said}; {todo}" if todo else said, detail=detail)


@dataclass(frozen=True, slots=True)
class GoogleApi:
    """One account's way to one API."""

    account: Account
    http: httpx.AsyncClient
    url: str
    """Where paths begin."""

    async def call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None, **headers: str
    ) -> Answer:
        """One request; one more with a new token if Google refuses the one it has (401).

        ``headers`` are written with ``_`` for ``-``. Any status comes back; raises :class:`Retry` when none does.
        """
        content = None if body is None else msgspec.json.encode(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            sent["content-type"] = "application/json; charset=UTF-8"
        token = await self.account.token(self.http)
        answer = await self._send(method, path, query, content, sent, token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            token = await self.account.token(self.http, refused=token)
            answer = await self._send(method, path, query, content, sent, token)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        content: bytes | None,
        headers: Mapping[str, str],
        token: str,
    ) -> Answer:
        request = self.http.build_request(
            method,
            self.url + path,
            params=query,
            content=content,
            headers={**headers, "authorization": f"Bearer {token}"},
        )
        return await send(self.http, request)

    async def get(self, path: str, doing: str, **query: Any) -> dict[str, Any]:
        """Read something that has to be there. Raises :class:`Retry` or :class:`Reject`."""
        answer = await self.call("GET", path, query=query)
        if not answer.ok:
            answer.fail(doing, self.account.now())
        return answer.body


async def send(http: httpx.AsyncClient, request: httpx.Request) -> Answer:
    """Send a request and read its answer. Raises :class:`Retry` when there is none, :class:`Reject` for a bad URL."""
    try:
        response = await http.send(request, stream=True)
        try:
            text, truncated = await read_answer(response, READ_LIMIT)
        finally:
            await response.aclose()
    except (httpx.InvalidURL, httpx.TransportError) as error:
        raise unreachable(error) from error
    if truncated:
        raise Reject(f"Google's answer is longer than {READ_LIMIT} bytes; split the spreadsheet")
    return Answer(response.status_code, response.headers, as_object(answer_json(text)))


def _dicts(value: Any) -> list[dict[str, Any]]:
    entries = cast("list[Any]", value) if isinstance(value, list) else []
    return [as_object(entry) for entry in entries]
