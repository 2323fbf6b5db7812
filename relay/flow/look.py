"""The deep check: fetches what a request links to, as far as it takes to tell what it is. Bounded in time and bytes."""

import asyncio
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import httpx
from msgspec import Struct

from relay.contract.files import AUDIO, IMAGES, LAUNCH, SUBTITLES, FileRules, type_of
from relay.contract.pictures import fits, size_of
from relay.contract.rules import Violation

from .audio import seconds_of
from .uploads import plays_wrong

HEAD = 64 * 1024
"""Bytes of a picture or of subtitles that are read; audio is read whole, for only then it can be measured."""
Mode = Literal["off", "warn", "refuse"]


class Found(Struct):
    """What one look tells: a broken rule, or that nobody can tell from here."""

    violation: Violation | None = None
    warning: str = ""


class Look:
    """Looks at links. ``seconds`` is the time that all links of one request may take together."""

    def __init__(self, client: httpx.AsyncClient, folder: Path, *, seconds: float = 10.0) -> None:
        self._client, self._folder, self._seconds = client, folder, seconds

    async def at(self, links: dict[str, str], rules: FileRules = LAUNCH) -> list[Found]:
        """Look at all links at once; ``links`` are by field."""
        return await asyncio.gather(*(self._one(field, url, rules) for field, url in links.items()))

    async def _one(self, field: str, url: str, rules: FileRules) -> Found:
        try:
            async with asyncio.timeout(self._seconds):
                return Found(await self._fetch(field, url, rules))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = str(error) or f"no whole answer within {self._seconds:g} s"
            return Found(warning=f"{field}: {url[:200]} could not be looked at from here: {why}")

    async def _fetch(self, field: str, url: str, rules: FileRules) -> Violation | None:
        wanted = _wanted(field)
        headers = {"accept-encoding": "identity"}
        if wanted is not AUDIO:
            headers["range"] = f"bytes=0-{HEAD - 1}"
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                return Violation(field, url, f"must be reachable; it answers {response.status_code}")
            most = max(rules.most_bytes[mime] for mime in wanted)
            size = _size(response)
            if size is not None and size > most:
                return Violation(field, url, f"must lead to a file of at most {most} bytes; it has {size}")
            if wanted is AUDIO:
                return await self._audio(field, url, response, most, rules)
            head = await _head(response)
        return _picture(field, url, head, wanted, response)

    async def _audio(
        self, field: str, url: str, response: httpx.Response, most: int, rules: FileRules
    ) -> Violation | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as inside:
            path, size, head = Path(inside) / "audio", 0, b""
            async with await anyio.open_file(path, "wb") as file:
                async for chunk in response.aiter_raw(HEAD):
                    head, size = head or chunk, size + len(chunk)
                    if size > most:
                        return Violation(field, url, f"must lead to a file of at most {most} bytes")
                    if size == len(chunk) and (wrong := _type(field, url, head, AUDIO, response)):
                        return wrong
                    await file.write(chunk)
            mime = type_of(head, httpx.URL(url).path, response.headers.get("content-type", ""))
            if mime not in AUDIO:
                return _type(field, url, head, AUDIO, response)
            return plays_wrong(field, await anyio.to_thread.run_sync(seconds_of, path, mime), rules)


def _wanted(field: str) -> tuple[str, ...]:
    return {"audio_url": AUDIO, "srt_url": (SUBTITLES,)}.get(field, IMAGES)


def _size(response: httpx.Response) -> int | None:
    """The whole file's length, if the answer says so."""
    whole = response.headers.get("content-range", "").rpartition("/")[2]
    if response.status_code == HTTPStatus.OK:
        whole = response.headers.get("content-length", "")
    return int(whole) if whole.isascii() and whole.isdigit() else None


async def _head(response: httpx.Response) -> bytes:
    head = b""
    async for chunk in response.aiter_raw(HEAD):
        head += chunk
        if len(head) >= HEAD:
            break
    return head


def _type(field: str, url: str, head: bytes, wanted: tuple[str, ...], response: httpx.Response) -> Violation | None:
    mime = type_of(head, httpx.URL(url).path, response.headers.get("content-type", ""))
    if mime in wanted:
        return None
    return Violation(field, url, f"must lead to {' or '.join(wanted)}; it is {mime or 'empty'}")


def _picture(field: str, url: str, head: bytes, wanted: tuple[str, ...], response: httpx.Response) -> Violation | None:
    if wrong := _type(field, url, head, wanted, response):
        return wrong
    size = size_of(head)
    if size is None or fits(size):
        return None
    return Violation(field, url, f"must have an aspect ratio from 1:4 to 4:1; it is {size[0]} x {size[1]}")
