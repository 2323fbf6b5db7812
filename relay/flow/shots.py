"""A shot's own file, passed through from the provider as somebody looks at it; nothing is stored."""

from collections.abc import AsyncIterator

import httpx
import msgspec
from msgspec import Struct

from relay.clock import Clock
from relay.journal import TaskRow
from relay.providers import Provider

KEPT = 300.0
"""Seconds for which the provider's link is used again: a player asks for many parts of one file."""
MOST = 500
TYPES = frozenset({"video/mp4", "video/webm", "video/quicktime", "image/png", "image/jpeg", "image/webp"})
"""What a browser may be given from elsewhere."""
_PASSED = ("content-length", "content-range", "accept-ranges", "etag", "last-modified")


class _Hosted(Struct):
    url: str


class _Shot(Struct):
    media: _Hosted


class _Answer(Struct):
    data: _Shot


class NoFile(Exception):
    """The shot's file cannot be shown now; the message says why."""


class Part(Struct):
    """What the provider's host answered."""

    status: int
    mime_type: str
    headers: dict[str, str]
    chunks: AsyncIterator[bytes]


class Shots:
    """Asks the provider to give a shot a file (free, and repeatable), and hands it through."""

    def __init__(self, provider: Provider, clock: Clock, client: httpx.AsyncClient) -> None:
        self._provider = provider
        self._clock = clock
        self._client = client
        self._links: dict[tuple[str, str, str | None], tuple[str, float]] = {}

    async def open(self, task: TaskRow, shot_id: str, asked: str | None) -> Part:
        """The file of a shot, or the range ``asked`` of it. Its ``chunks`` have to be read or closed.
        Raises :class:`NoFile`."""
        headers = {"accept-encoding": "identity"} | ({"range": asked[:100]} if asked else {})
        try:
            request = self._client.build_request("GET", await self._link(task, shot_id), headers=headers)
            response = await self._client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.HTTPError) as error:
            raise NoFile("The shot's file cannot be fetched from Beat API now.") from error
        mime = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code not in (200, 206) or mime not in TYPES:
            await response.aclose()
            self._links.pop(_name(task, shot_id), None)
            raise NoFile(f"Beat API's link to the shot answered {response.status_code} {mime}.")
        passed = {name: response.headers[name] for name in _PASSED if name in response.headers}
        return Part(response.status_code, mime, passed, _all(response))

    async def _link(self, task: TaskRow, shot_id: str) -> str:
        now = self._clock.now()
        known = self._links.get(_name(task, shot_id))
        if known is not None and now < known[1]:
            return known[0]
        assert task.provider_id is not None, "what has a storyboard is at the provider"
        passed = await self._provider.shot_media(task.provider_id, shot_id)
        try:
            url = msgspec.json.decode(passed.body, type=_Answer).data.media.url
        except msgspec.MsgspecError as error:
            raise NoFile(f"Beat API gives no file for this shot now (it answered {passed.status}).") from error
        while len(self._links) >= MOST:
            self._links.pop(next(iter(self._links)))
        self._links[_name(task, shot_id)] = (url, now + KEPT)
        return url


def _name(task: TaskRow, shot_id: str) -> tuple[str, str, str | None]:
    """A shot that was made anew has another file: what the provider last said of the task is part of the name."""
    return task.id, shot_id, task.observed


async def _all(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw(64 * 1024):
            yield chunk
    finally:
        await response.aclose()
