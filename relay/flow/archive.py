"""The first delivery of every finish that has media: copies it into our own store.

Provider links die, answer 200 with an error page, or break off half way. So a file counts only once it is whole,
checked, and under its final name.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import anyio
import httpx

from connectors.base import Connector, ConnectorConfig, Delivery, DeliveryError, Outcome, Reject, Retry, Wait
from connectors.files import write_atomically
from relay.clock import Clock
from relay.disk import trouble_of
from relay.journal import Journal, MediaRow

CHUNK = 256 * 1024
DISK_AGAIN = 30.0
"""Seconds until it is looked again whether a disk that failed works: links do not live for ever."""
_SUFFIXES = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
}
_BOXED = {"video/mp4", "video/quicktime"}


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """A file in the store, as connectors see it."""

    file: Path
    name: str
    mime_type: str
    size: int
    sha256: str

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with await anyio.open_file(self.file, "rb") as file:
            yield _chunks(file)


async def _chunks(file: Any) -> AsyncIterator[bytes]:
    while chunk := await file.read(CHUNK):
        yield chunk


class MediaStore:
    """Finished files in a local folder: ``<root>/<task id>/r<revision>-<position>.mp4``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._failed: tuple[float, str] | None = None

    def failed(self, trouble: str, now: float) -> None:
        """A file could not be stored because of ``trouble``."""
        self._failed = (now, trouble)

    def worked(self) -> None:
        """A file was stored."""
        self._failed = None

    def trouble(self, now: float) -> str | None:
        """What is wrong with the disk, and what to do, if that was met at the last try and lately."""
        lately = self._failed is not None and now - self._failed[0] < 4 * DISK_AGAIN
        return self._failed[1] if self._failed is not None and lately else None

    def open(self, media: MediaRow) -> StoredMedia:
        """The stored file of a row."""
        return StoredMedia(self.root / media.path, media.name, media.mime_type, media.size, media.sha256)


class NoConfig(ConnectorConfig):
    """The archive takes everything from the finish itself."""


class Archive(Connector):
    """Downloads each file of a finish. Safe to repeat: a file that is stored already is not fetched again."""

    name: ClassVar[str] = "archive"
    Config = NoConfig
    moves_media = True

    def __init__(
        self, store: MediaStore, journal: Journal, clock: Clock, client: httpx.AsyncClient, most_bytes: int
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._client = client
        self._most = most_bytes

    async def deliver(self, config: NoConfig, delivery: Delivery) -> Outcome:  # noqa: ARG002 (the base's signature)
        task: dict[str, Any] = delivery.event["task"]
        revision: int = delivery.event["revision"]
        known = {row.position: row for row in await self._journal.deliveries.media_of(task["id"], revision)}
        stored: list[MediaRow] = []
        for position, media in enumerate(task["output"]["media"]):
            row = known.get(position) or await self._fetch(task["id"], revision, position, media, delivery.key)
            stored.append(row)
        return Outcome(detail={"media": [{"id": row.id, "bytes": row.size, "sha256": row.sha256} for row in stored]})

    async def _fetch(self, task_id: str, revision: int, position: int, media: dict[str, Any], key: str) -> MediaRow:
        url: str = media["url"]
        mime_type: str = media.get("mime_type") or "video/mp4"
        name = f"{task_id}{f'-r{revision}' if revision > 1 else ''}{f'-{position}' if position else ''}"
        suffix = _SUFFIXES.get(mime_type, Path(urlsplit(url).path).suffix[:8])
        path = Path(task_id) / f"r{revision}-{position}{suffix}"
        target = self._store.root / path
        size, sha256 = await self._download(url, mime_type, target, key)
        row = MediaRow(
            id=self._clock.new_id("med"),
            task_id=task_id,
            revision=revision,
            position=position,
            source_url=url,
            name=name + suffix,
            path=str(path),
            mime_type=mime_type,
            size=size,
            sha256=sha256,
            stored_at=self._clock.now(),
        )
        await self._journal.deliveries.add_media(row)
        return row

    async def _download(self, url: str, mime_type: str, target: Path, key: str) -> tuple[int, str]:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            async with self._client.stream("GET", url, headers={"accept-encoding": "identity"}) as response:
                declared = _check_head(response, mime_type, self._most)
                chunks = _checked(response.aiter_raw(CHUNK), mime_type, declared, self._most)
                written = await write_atomically(target, chunks, key=key)
        except httpx.InvalidURL as error:
            raise Reject(f"the provider's link is not a URL: {error}") from error
        except httpx.HTTPError as error:
            raise Retry(f"the download broke off: {str(error) or type(error).__name__}") from error
        except OSError as error:
            raise self._not_stored(error) from error
        self._store.worked()
        return written

    def _not_stored(self, error: OSError) -> DeliveryError:
        trouble = trouble_of(error)
        if trouble is None:
            return Retry(f"the media store could not write: {os.strerror(error.errno or 0)}")
        self._store.failed(trouble, self._clock.now())
        return Wait(f"the media store could not write: {trouble}", after=DISK_AGAIN)


def _check_head(response: httpx.Response, mime_type: str, most: int) -> int | None:
    """Refuse what is surely not the file, before a byte of it is stored. Returns the declared length."""
    if response.status_code != HTTPStatus.OK:
        raise Retry(f"the provider's link answered {response.status_code}", detail={"status": response.status_code})
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/xml"):
        raise Retry(f"the provider's link answered with {kind}, not with {mime_type}", detail={"type": kind})
    length = response.headers.get("content-length", "")
    declared = int(length) if length.isascii() and length.isdigit() else None
    if declared is not None and declared > most:
        raise Reject(f"the file has {declared} bytes; BEATRELAY_MEDIA_MAX_BYTES allows {most}")
    return declared


async def _checked(
    chunks: AsyncIterator[bytes], mime_type: str, declared: int | None, most: int
) -> AsyncIterator[bytes]:
    """The same bytes, or an error: a video starts with an ``ftyp`` box, and all of it must come."""
    head, size = b"", 0
    async for chunk in chunks:
        if size < 12 and mime_type in _BOXED:
            head += chunk[: 12 - size]
            if len(head) >= 8 and head[4:8] != b"ftyp":
                raise Retry(f"the file does not start as {mime_type} must (no ftyp box)")
        size += len(chunk)
        if size > most:
            raise Reject(f"the file has more than {most} bytes, the limit of BEATRELAY_MEDIA_MAX_BYTES")
        yield chunk
    if declared is not None and size != declared:
        raise Retry(f"the file broke off: {size} of {declared} bytes came")
    if size == 0:
        raise Retry("the file is empty")
    if mime_type in _BOXED and head[4:8] != b"ftyp":
        raise Retry(f"the file is too short for {mime_type}: {size} bytes")
