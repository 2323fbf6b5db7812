"""A bucket, spoken to over the relay's own guarded client."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote

import httpx
from msgspec import Struct

from connectors.answers import read_answer, unreachable
from connectors.base import Reject

from .errors import Answer, refusal
from .settings import S3Connection, place_of, quoted
from .sign import EMPTY_SHA256, Signer

ANSWER_LIMIT = 1024 * 1024
"""Bytes: a page of a thousand parts is under half of it."""
_TIMES = httpx.Timeout(60.0, connect=5.0, read=300.0)
"""Seconds: putting the parts of a large file together takes a service minutes."""


class Found(Struct, frozen=True):
    """An object that is there; ``sha256`` is what we wrote beside it, empty if it is not one of ours."""

    size: int
    sha256: str
    etag: str
    version: str


class Learnt(Struct):
    """What a service has refused once, and is not asked for again while this process lives."""

    no_condition: bool = False
    """``If-None-Match: *``: create, never overwrite."""
    no_checksum: bool = False
    """``x-amz-checksum-sha256``, kept with the object."""


class Storage:
    """One bucket for one attempt. Raises :class:`Retry` and :class:`Reject` for what the service refuses."""

    def __init__(
        self, connection: S3Connection, http: httpx.AsyncClient, now: Callable[[], float], learnt: Learnt
    ) -> None:
        self.place = place_of(connection)
        self.learnt = learnt
        self.now = now
        self._http = http
        self._signer = Signer(connection)

    async def request(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] = b"",
        size: int = 0,
        sha256: str = EMPTY_SHA256,
    ) -> Answer:
        """One signed request. A ``body`` that is streamed comes with its ``size`` and ``sha256``."""
        if isinstance(body, bytes):
            size, sha256 = len(body), hashlib.sha256(body).hexdigest()
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        target = f"{self.place.path}/{quoted(key)}" + (f"?{asked}" if asked else "")
        given = {"host": self.place.host, **(headers or {})}
        signed = self._signer.headers(method, target, given, body_sha256=sha256, at=self.now())
        if method in ("PUT", "POST"):
            signed["content-length"] = str(size)
        content = body if size else None
        try:
            async with self._http.stream(
                method, self.place.url + target, headers=signed, content=content, timeout=_TIMES
            ) as response:
                text, _ = await read_answer(response, ANSWER_LIMIT)
        except (httpx.InvalidURL, httpx.TransportError) as error:
            raise unreachable(error) from error
        return Answer(response.status_code, response.headers, text)

    async def look(self, key: str) -> Found | None:
        """What is at ``key``, as far as we may see: without s3:GetObject nothing is, and the condition must guard."""
        answer = await self.request("HEAD", key)
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            return None
        if not answer.ok:
            raise refusal(await self._in_words(key, answer), "looking at the object", self.now())
        of = answer.headers
        return Found(
            size=int(of.get("content-length", "-1")),
            sha256=of.get("x-amz-meta-sha256", ""),
            etag=of.get("etag", "").strip('"'),
            version=of.get("x-amz-version-id", ""),
        )

    async def _in_words(self, key: str, refused: Answer) -> Answer:
        """The same refusal with its reason: an answer to HEAD has no body that could say that credentials have ended
        or that the region is another one."""
        if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return refused
        said = await self.request("GET", key, headers={"range": "bytes=0-0"})
        return refused if said.ok or not said.code else said

    async def create(
        self,
        key: str,
        body: Callable[[], bytes | AsyncIterator[bytes]],
        headers: Mapping[str, str],
        *,
        size: int,
        sha256: str,
        only_new: bool,
    ) -> Answer | None:
        """Put a whole object; ``None`` if ``only_new`` and something is there. What the service lacks is learnt."""
        while True:
            extra = {**self._checksum(sha256), **self.condition(only_new)}
            answer = await self.request("PUT", key, headers={**headers, **extra}, body=body(), size=size, sha256=sha256)
            if answer.ok:
                return answer
            if answer.status == HTTPStatus.PRECONDITION_FAILED and "if-none-match" in extra:
                return None
            if not self.learn(answer, extra):
                raise refusal(answer, "writing the object", self.now())

    def learn(self, answer: Answer, sent: Mapping[str, str]) -> bool:
        """Whether the service refused one of the ``sent`` headers, not the request; it is left out from now on."""
        if answer.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_IMPLEMENTED):
            return False
        words, unknown = answer.text.lower(), answer.status == HTTPStatus.NOT_IMPLEMENTED
        if "x-amz-checksum-sha256" in sent and "checksum" in words and answer.code != "BadDigest":
            self.learnt.no_checksum = True
        elif "if-none-match" in sent and (unknown or "none-match" in words):
            self.learnt.no_condition = True
        elif "x-amz-checksum-sha256" in sent and unknown:
            self.learnt.no_checksum = True
        else:
            return False
        return True

    def condition(self, only_new: bool) -> dict[str, str]:
        return {"if-none-match": "*"} if only_new and not self.learnt.no_condition else {}

    async def delete(self, key: str) -> None:
        answer = await self.request("DELETE", key)
        if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
            raise refusal(answer, "deleting the object", self.now())

    def link(self, key: str, seconds: int) -> str:
        """A URL that lets anybody read ``key`` for ``seconds``."""
        target = f"{self.place.path}/{quoted(key)}"
        return self.place.url + self._signer.presigned(target, self.place.host, at=self.now(), seconds=seconds)

    def _checksum(self, sha256: str) -> dict[str, str]:
        encoded = base64.b64encode(bytes.fromhex(sha256)).decode()
        return {} if self.learnt.no_checksum else {"x-amz-checksum-sha256": encoded}


def checked_header(name: str, value: str) -> str:
    """``value`` if it can be a header's; raises :class:`Reject` naming the field."""
    if not value.isascii() or not value.isprintable():
        raise Reject(f"`{name}` is {value!r}; a header holds printable ASCII only")
    return value
