"""Put a finished file into a bucket."""

import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

import httpx

from connectors.base import Connector, Delivery, DeliveryError, MediaFile, Outcome, Reject, Retry

from .errors import Answer
from .multipart import Multipart
from .settings import (
    S3Config,
    S3Connection,
    checked_key,
    disposition,
    link_lifetime,
    quoted,
    read_connection,
)
from .storage import Found, Learnt, Storage, checked_header


class S3(Connector):
    """Once: the same file is never written twice, another of the same key is never overwritten unless asked for."""

    name: ClassVar[str] = "s3"
    Config = S3Config
    Connection = S3Connection
    moves_media = True
    single: ClassVar[int] = 64 * 1024 * 1024
    """Bytes up to which a file goes in one request: all of it or nothing, never an unfinished part."""

    def __init__(self) -> None:
        self._learnt: dict[tuple[str, str], Learnt] = {}

    async def deliver(self, config: S3Config, delivery: Delivery) -> Outcome:
        if delivery.media is None:
            raise Reject("this finish has no file to store; use `on: task.succeeded`")
        connection = read_connection(delivery.connection)
        if config.link == "public" and not connection.public_url:
            raise Reject("`link: public` needs the connection's `public_url`: where everybody can read the bucket")
        key = checked_key(config.key)
        lifetime = link_lifetime(config, connection, delivery.at)
        headers = _headers(config, delivery.media, delivery)
        started = time.monotonic()
        storage = self._storage(connection, delivery.http, lambda: delivery.at + time.monotonic() - started)
        multipart = Multipart(storage, delivery.notes) if delivery.media.size > self.single else None
        placing = _Placing(storage, multipart, delivery.media, headers, config.if_exists)
        kept, detail = await placing.place(key)
        url, expires = _link(config, connection, storage, kept, lifetime)
        if expires:
            detail["url_expires_at"] = expires
        return Outcome(url=url, detail={"bucket": connection.bucket, "key": kept, **detail})

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        known = read_connection(connection)
        storage = self._storage(known, http, time.time)
        key = f".beatrelay-check-{uuid.uuid4().hex}"
        guard = await _try_out(storage, key)
        learnt = storage.learnt
        sums = "are refused, so they are left out" if learnt.no_checksum else "are accepted"
        return f"the bucket {known.bucket} at {storage.place.host} can be written to; {guard}; SHA-256 checksums {sums}"

    def _storage(self, connection: S3Connection, http: httpx.AsyncClient, now: Callable[[], float]) -> Storage:
        learnt = self._learnt.setdefault((connection.endpoint or connection.region, connection.bucket), Learnt())
        return Storage(connection, http, now, learnt)


class _Placing:
    """Finding the key at which the file is, or shall be."""

    def __init__(
        self,
        storage: Storage,
        multipart: Multipart | None,
        media: MediaFile,
        headers: Mapping[str, str],
        if_exists: str,
    ) -> None:
        self._storage = storage
        self._multipart = multipart
        self._media = media
        self._headers = headers
        self._overwrite = if_exists == "overwrite"
        self._rename = if_exists == "rename"

    async def place(self, key: str) -> tuple[str, dict[str, Any]]:
        """The key under which the file is in the end, and what is known of it there."""
        for place in (key, _beside(key, self._media)) if self._rename else (key,):
            found = await self._storage.look(place)
            if found is None or (self._overwrite and not self._same(found)):
                answer = await self._upload(place)
                if answer is not None:
                    return place, self._detail(answer)
                found = await self._storage.look(place)  # somebody was faster; perhaps an earlier attempt of ours
            if found is not None and self._same(found):
                await self._leave_nothing()
                known = {"etag": found.etag, "version": found.version}
                return place, {"bytes": found.size, "sha256": found.sha256, "already": True, **_filled(known)}
        await self._leave_nothing()
        raise Reject(
            f"there is another file at {key} already"
            + (", and at its alternative name" if self._rename else "")
            + "; change the step's `key`, or let `if_exists` be rename or overwrite"
            + " (if it is the same file: the credentials lack s3:GetObject, so that nobody can tell)"
        )

    async def _upload(self, key: str) -> Answer | None:
        media, only_new = self._media, not self._overwrite
        if self._multipart is not None:
            return await self._multipart.put(key, media, self._headers, only_new=only_new)
        return await self._storage.create(
            key,
            lambda: _stream(media),
            self._headers,
            size=media.size,
            sha256=media.sha256,
            only_new=only_new,
        )

    async def _leave_nothing(self) -> None:
        if self._multipart is not None:
            await self._multipart.leave_nothing()

    def _same(self, found: Found) -> bool:
        return (found.size, found.sha256) == (self._media.size, self._media.sha256)

    def _detail(self, answer: Answer) -> dict[str, Any]:
        etag = answer.headers.get("etag", "") or answer.one("ETag")
        known = {"etag": etag.strip('"'), "version": answer.headers.get("x-amz-version-id", "")}
        return {"bytes": self._media.size, "sha256": self._media.sha256, **_filled(known)}


async def _stream(media: MediaFile) -> AsyncIterator[bytes]:
    """The file, its last chunk held back until the whole is known to be what it was."""
    digest, held = hashlib.sha256(), b""
    async with media.open() as chunks:
        async for chunk in chunks:
            if held:
                yield held
            digest.update(chunk)
            held = chunk
    if digest.hexdigest() != media.sha256:
        raise Retry("the stored file changed while it was read")
    yield held


def _headers(config: S3Config, media: MediaFile, delivery: Delivery) -> dict[str, str]:
    task: Mapping[str, Any] = delivery.event.get("task") or {}
    headers = {
        "content-type": checked_header("content_type", config.content_type or media.mime_type),
        "content-disposition": disposition(config),
        "x-amz-meta-sha256": media.sha256,
        "x-amz-meta-beatrelay-delivery": delivery.key,
        "x-amz-meta-beatrelay-task": str(task.get("id", "")),
    }
    if config.cache_control:
        headers["cache-control"] = checked_header("cache_control", config.cache_control)
    return _filled(headers)


def _link(
    config: S3Config, connection: S3Connection, storage: Storage, key: str, lifetime: int
) -> tuple[str | None, int | None]:
    """Where the file can be read, and until when (Unix seconds) if not for ever."""
    public = connection.public_url.rstrip("/")
    if config.link == "none":
        return None, None
    if public and config.link != "presigned":
        return f"{public}/{quoted(key)}", None
    return storage.link(key, lifetime), int(storage.now()) + lifetime


def _beside(key: str, media: MediaFile) -> str:
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    return f"{folder}{slash}{stem}-{media.sha256[:8]}{dot}{extension}"


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


async def _try_out(storage: Storage, key: str) -> str:
    """Write, write again, look, delete. Returns what was found out about creating without overwriting, and about
    deleting, which only this needs."""
    body = b"beatrelay: a check; it may be deleted"
    headers = {"content-type": "text/plain", "x-amz-meta-sha256": "check"}
    sha256 = hashlib.sha256(body).hexdigest()
    try:
        await storage.create(key, lambda: body, headers, size=len(body), sha256=sha256, only_new=True)
        again = await storage.create(key, lambda: body, headers, size=len(body), sha256=sha256, only_new=True)
        found = await storage.look(key)
    except DeliveryError:
        with suppress(DeliveryError):  # what went wrong first is what is to be told
            await storage.delete(key)
        raise
    left = await _left(storage, key)
    if found is None:
        raise Reject(
            "the bucket can be written to but not looked into; allow s3:GetObject, so that repeats are noticed"
        )
    if storage.learnt.no_condition:
        return f"conditional creates are refused, so it is looked before each write{left}"
    if again is not None:
        return f"conditional creates are ignored, so it is looked before each write{left}"
    return f"conditional creates work{left}"


async def _left(storage: Storage, key: str) -> str:
    """Delete what the check wrote; what to say if that is not allowed."""
    try:
        await storage.delete(key)
    except Reject:
        return f"; its test object {key} may not be deleted with these credentials, so delete it yourself"
    return ""
