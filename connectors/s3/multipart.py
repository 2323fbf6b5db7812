"""Large files, part by part, so that a cut costs one part and not the file.

The service's id of the upload is noted as soon as it is known. A repeat asks which parts arrived, compares each
with the file while reading it, and sends what is missing. Whatever can not go on is aborted: no parts are left over.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from xml.sax.saxutils import escape

from connectors.base import MediaFile, Notes, Reject, Retry

from .errors import Answer, refusal
from .storage import Storage

PART = 8 * 1024 * 1024
"""Bytes of a part; one is held in memory, so that its hash can be signed."""
MOST_PARTS = 10_000
_SLICE = 64 * 1024
_NOTE = "upload"
_STARTING = "starting"


class Multipart:
    """The one unfinished upload that a delivery may have."""

    def __init__(self, storage: Storage, notes: Notes) -> None:
        self._storage = storage
        self._notes = notes

    async def put(self, key: str, media: MediaFile, headers: Mapping[str, str], *, only_new: bool) -> Answer | None:
        """Bring ``media`` to ``key``, going on where an earlier attempt was cut; ``None`` as for
        :meth:`Storage.create`."""
        if media.size > PART * MOST_PARTS:
            raise Reject(f"the file has {media.size} bytes; {PART * MOST_PARTS} is the most that is uploaded")
        upload = await self._resumed(key)
        arrived = await self._arrived(key, upload) if upload else {}
        if arrived is None or not upload:
            upload, arrived = await self._start(key, headers), {}
        tags = await self._send(key, upload, media, arrived)
        return await self._complete(key, upload, tags, only_new=only_new)

    async def leave_nothing(self) -> None:
        """Abort what is unfinished, if anything is. The parts of a dead delivery cost money for ever."""
        key, upload = await self._noted()
        if upload == _STARTING:
            await self._abort_all(key)
        elif upload:
            await self._abort(key, upload)
        if upload:
            await self._note("", "")

    async def _resumed(self, key: str) -> str:
        noted_key, upload = await self._noted()
        if noted_key == key and upload and upload != _STARTING:
            return upload
        await self.leave_nothing()
        return ""

    async def _start(self, key: str, headers: Mapping[str, str]) -> str:
        await self._note(key, _STARTING)  # if the answer is lost, the next attempt finds the upload by its key
        answer = await self._storage.request("POST", key, query={"uploads": ""}, headers=headers)
        upload = answer.one("UploadId")
        if not answer.ok or not upload:
            raise refusal(answer, "beginning to write the object", self._storage.now())
        await self._note(key, upload)
        return upload

    async def _arrived(self, key: str, upload: str) -> dict[int, str] | None:
        """ETags of the parts that are there by number; ``None`` if the service knows the upload no more."""
        tags: dict[int, str] = {}
        marker = "0"
        while True:
            query = {"uploadId": upload, "part-number-marker": marker}
            answer = await self._storage.request("GET", key, query=query)
            if answer.status == HTTPStatus.NOT_FOUND:
                return None
            if not answer.ok:
                raise refusal(answer, "asking which parts arrived", self._storage.now())
            numbers = [int(number) for number in answer.all("PartNumber")]
            tags |= zip(numbers, answer.all("ETag"), strict=True)
            if answer.one("IsTruncated") != "true" or not numbers:
                return tags
            marker = str(numbers[-1])

    async def _send(self, key: str, upload: str, media: MediaFile, arrived: Mapping[int, str]) -> list[str]:
        tags: list[str] = []
        whole = hashlib.sha256()
        async with media.open() as chunks:
            async for part in _parts(chunks):
                whole.update(part)
                number = len(tags) + 1
                there = arrived.get(number, "")
                same = there.strip('"') == hashlib.md5(part, usedforsecurity=False).hexdigest()
                tags.append(there if same else await self._send_part(key, upload, number, part))
        if whole.hexdigest() != media.sha256:
            await self.leave_nothing()
            raise Retry("the stored file changed while it was read")
        return tags

    async def _send_part(self, key: str, upload: str, number: int, part: memoryview) -> str:
        query, sha256 = {"uploadId": upload, "partNumber": str(number)}, hashlib.sha256(part).hexdigest()
        answer = await self._storage.request("PUT", key, query=query, body=_slices(part), size=len(part), sha256=sha256)
        if not answer.ok:
            raise await self._over(answer, "writing a part of the object")
        return answer.headers.get("etag", "")

    async def _complete(self, key: str, upload: str, tags: list[str], *, only_new: bool) -> Answer | None:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        while True:
            condition = self._storage.condition(only_new)
            query = {"uploadId": upload}
            answer = await self._storage.request("POST", key, query=query, headers=condition, body=body)
            if answer.ok and not answer.code:  # a failure after the first byte is a 200 with an <Error>
                await self._note("", "")
                return answer
            if answer.status == HTTPStatus.PRECONDITION_FAILED and condition:
                await self.leave_nothing()
                return None
            if not self._storage.learn(answer, condition):
                raise await self._over(answer, "putting the parts together")

    async def _over(self, answer: Answer, doing: str) -> Exception:
        """The error for an upload that failed; unless it can go on later, its parts are removed first."""
        if answer.code == "NoSuchUpload":
            await self._note("", "")
            return Retry(f"{doing}: the upload is gone; somebody aborted or finished it")
        error = refusal(answer, doing, self._storage.now())
        if isinstance(error, Reject) or answer.code == "ConditionalRequestConflict":
            await self.leave_nothing()
        return error

    async def _abort(self, key: str, upload: str) -> None:
        answer = await self._storage.request("DELETE", key, query={"uploadId": upload})
        if not answer.ok and answer.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            raise refusal(answer, "removing the unfinished upload", self._storage.now())

    async def _abort_all(self, key: str) -> None:
        answer = await self._storage.request("GET", "", query={"uploads": "", "prefix": key})
        if answer.ok:
            for found, upload in zip(answer.all("Key"), answer.all("UploadId"), strict=False):
                if found == key:
                    await self._abort(key, upload)

    async def _noted(self) -> tuple[str, str]:
        noted = json.loads(await self._notes.get(_NOTE) or "{}")
        return noted.get("key", ""), noted.get("upload", "")

    async def _note(self, key: str, upload: str) -> None:
        await self._notes.put(_NOTE, json.dumps({"key": key, "upload": upload}))


async def _parts(chunks: AsyncIterator[bytes]) -> AsyncIterator[memoryview]:
    """``chunks`` cut anew into parts of :data:`PART` bytes, the last one shorter.

    All parts are views of one buffer, good until the next is asked for: large pieces allocated anew for each part
    would leave the heap in tatters, several times the size of a part.
    """
    buffer, filled = memoryview(bytearray(PART)), 0
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            taken = min(len(rest), PART - filled)
            buffer[filled : filled + taken] = rest[:taken]
            rest, filled = rest[taken:], filled + taken
            if filled == PART:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


async def _slices(part: memoryview) -> AsyncIterator[bytes]:
    for start in range(0, len(part), _SLICE):
        yield bytes(part[start : start + _SLICE])
