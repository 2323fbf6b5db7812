"""Copy a finished file into a local folder."""

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx

from .base import ConnectionSettings, Connector, ConnectorConfig, Delivery, MediaFile, Outcome, Reject, Retry
from .files import safe_join, write_atomically


class FolderConfig(ConnectorConfig):
    """``with:`` of a step that uses ``folder``."""

    path: str
    """Where to, relative to the connection's ``root``."""


class FolderConnection(ConnectionSettings):
    """What a ``folder`` connection holds."""

    root: str
    """The folder that nothing ever leaves."""


class Folder(Connector):
    """Once: the same file is never written twice, another of the same name is never overwritten."""

    name: ClassVar[str] = "folder"
    Config = FolderConfig
    Connection = FolderConnection
    moves_media = True

    async def deliver(self, config: FolderConfig, delivery: Delivery) -> Outcome:
        if delivery.media is None:
            raise Reject("this finish has no file to copy; use `on: task.succeeded`")
        if not delivery.connection.get("root"):
            raise Reject("the step's connection has no `root`: the folder that files go to")
        media = delivery.media
        root = delivery.connection["root"]
        try:
            target = await asyncio.to_thread(_target, root, config.path)
            return await self._place(media, target, delivery.key)
        except OSError as error:
            why = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror or error)
            raise Retry(f"{root} could not be written to: {why}") from error

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:  # noqa: ARG002 (for others)
        root = connection.get("root")
        if not root:
            raise Reject("the connection's `root` is empty: the folder that files go to")
        return await asyncio.to_thread(_tried, root)

    async def _place(self, media: MediaFile, target: Path, key: str) -> Outcome:
        for place in (target, target.with_stem(f"{target.stem}-{media.sha256[:8]}")):
            if not await asyncio.to_thread(place.exists):
                await _copy(media, place, key)
                return _outcome(place, media, already=False)
            if await asyncio.to_thread(_same, place, media):
                return _outcome(place, media, already=True)
        raise Reject(f"{target} is there already, with other content, and so is its alternative name")


def _tried(path: str) -> str:
    """Write there without leaving anything; where the folder is not made yet, where it would be made."""
    root = Path(path).expanduser().absolute()
    there = next(place for place in (root, *root.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise Reject(
            f"nothing can be written to {there} ({error.strerror or error}): let the relay's user, number"
            f" {os.geteuid()}, write there, or choose another `root`"
        ) from error
    made = "" if there == root else ", which is made with the first of them"
    return f"files go to {root}{made}; {free / 1e9:.1f} GB are free there"


def _target(root: str, path: str) -> Path:
    folder = Path(root).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    target = safe_join(folder, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


async def _copy(media: MediaFile, target: Path, key: str) -> None:
    async with media.open() as chunks:
        size, sha256 = await write_atomically(target, chunks, key=key)
    if (size, sha256) != (media.size, media.sha256):
        await asyncio.to_thread(target.unlink, missing_ok=True)
        raise Retry(f"the stored file changed while it was copied: {size} bytes came, {media.size} were expected")


def _same(place: Path, media: MediaFile) -> bool:
    if place.stat().st_size != media.size:
        return False
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == media.sha256


def _outcome(place: Path, media: MediaFile, *, already: bool) -> Outcome:
    detail: dict[str, Any] = {"path": str(place), "bytes": media.size, "sha256": media.sha256}
    if already:
        detail["already"] = True
    return Outcome(url=place.resolve().as_uri(), detail=detail)
