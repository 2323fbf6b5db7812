"""One file into Google Drive by a resumable upload that survives cuts, restarts and lost answers."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from .base import MediaFile, Notes, Retry
from .google_api import Answer, GoogleApi, send
from .google_drive_folders import new_id

UNIT = 256 * 1024
"""Every piece but the last is a multiple of this."""
CHUNK = 32 * UNIT
"""Bytes of a piece; so much of the file is in memory."""
SLICE = 64 * 1024
SESSIONS = 2
"""Upload sessions that one attempt begins or goes on with."""
STALLS = 3
"""Pieces of which nothing was stored, one after another, after which an attempt ends."""
FINAL = {"storageQuotaExceeded", "insufficientFilePermissions", "domainPolicy", "teamDriveFileLimitExceeded"}
"""Reasons for which a new session would not help."""
_FIELDS = "id,name,size,md5Checksum,sha256Checksum,webViewLink,webContentLink,trashed"


class Upload:
    """Brings ``media`` to Drive under an id that is noted before it is used.

    The session's address is noted too: it opens the upload to whoever knows it, so it stands in no error and no log.
    The notes are bound to the content, so that another file never goes on where this one stopped.
    """

    def __init__(
        self, api: GoogleApi, notes: Notes, media: MediaFile, metadata: dict[str, Any], chunk: int = CHUNK
    ) -> None:
        if chunk % UNIT:
            raise ValueError(f"a piece of {chunk} bytes is no multiple of {UNIT}")
        self._api, self._notes, self._media = api, notes, media
        self._metadata, self._chunk = metadata, chunk
        self._file_note, self._session_note = f"file {media.sha256[:16]}", f"session {media.sha256[:16]}"
        self._id = ""
        self._no_storage = ""

    async def land(self, no_storage: str = "") -> dict[str, Any]:
        """Drive's description of the file, with ``checked`` (by which checksum) and ``already`` (it was there).

        ``no_storage`` is what to tell people if the account can own no files.
        """
        self._no_storage = no_storage
        self._id = await self._notes.get(self._file_note) or await self._new_id()
        for _ in range(SESSIONS):
            session, begun = await self._session()
            file = await self._send(session, begun) if session else await self._existing()
            if file is not None:
                return await self._checked(file, already=not session)
            await self._notes.put(self._session_note, "")
        raise Retry("Google ended the upload's session again and again; the next attempt begins a new one")

    async def _new_id(self) -> str:
        made = await new_id(self._api)
        await self._notes.put(self._file_note, made)
        return made

    async def _session(self) -> tuple[str | None, bool]:
        """Where to send to, and whether it was begun earlier; ``None`` if a file has our id already."""
        noted = await self._notes.get(self._session_note)
        if noted:
            return noted, True
        answer = await self._api.call(
            "POST",
            "/upload/drive/v3/files",
            query={"uploadType": "resumable", "supportsAllDrives": "true", "fields": _FIELDS},
            body={"id": self._id, **self._metadata},
            x_upload_content_type=self._media.mime_type,
            x_upload_content_length=str(self._media.size),
        )
        if answer.status == HTTPStatus.CONFLICT:
            return None, False
        session = answer.headers.get("location")
        if not answer.ok or not session:
            self._fail(answer, "beginning the upload")
        await self._notes.put(self._session_note, session)
        return session, False

    async def _send(self, session: str, begun: bool) -> dict[str, Any] | None:
        """All that Drive does not have yet, piece by piece. ``None`` if the session is no more."""
        async with contextlib.aclosing(_Source(self._media, self._chunk)) as source:
            offset, stalls = 0, 0
            answer = await self._ask(session) if begun or not self._media.size else None
            while True:
                if answer is not None:
                    if answer.ok:
                        return answer.body
                    if not self._goes_on(answer):
                        return await self._existing() if answer.status == HTTPStatus.CONFLICT else None
                    stored = _stored(answer)
                    stalls = 0 if stored > offset else stalls + 1
                    offset = stored
                if stalls > STALLS:
                    raise Retry(f"the upload stands still at byte {offset} of {self._media.size}")
                answer = await self._piece(session, offset, source)

    def _goes_on(self, answer: Answer) -> bool:
        """Raises :class:`Retry` or :class:`Reject` for what a new session cannot mend."""
        if answer.status == HTTPStatus.PERMANENT_REDIRECT:
            return True
        if answer.passes() or answer.reason in FINAL:
            self._fail(answer, "the upload")
        return False

    async def _piece(self, session: str, offset: int, source: "_Source") -> Answer:
        """Send one piece; if that went wrong, ask what came through."""
        data = await source.read(offset)
        if not data:
            return await self._ask(session)
        span = f"bytes {offset}-{offset + len(data) - 1}/{self._media.size}"
        try:
            answer = await self._put(session, span, data)
        except Retry:
            return await self._ask(session)  # raises Retry itself if there is still no way through
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and "retry-after" not in answer.headers:
            return await self._ask(session)
        return answer

    async def _ask(self, session: str) -> Answer:
        return await self._put(session, f"bytes */{self._media.size}", memoryview(b""))

    async def _put(self, session: str, span: str, data: memoryview) -> Answer:
        """No token: the session's address is the permission, and it outlives a token."""
        headers = {"content-range": span, "content-length": str(len(data))}
        content = _slices(data) if data else b""
        return await send(
            self._api.http, self._api.http.build_request("PUT", session, content=content, headers=headers)
        )

    async def _existing(self) -> dict[str, Any]:
        """The file that has our id: an earlier attempt brought it, and its answer was lost."""
        query = {"fields": _FIELDS, "supportsAllDrives": "true"}
        answer = await self._api.call("GET", f"/drive/v3/files/{self._id}", query=query)
        if answer.status == HTTPStatus.NOT_FOUND or (answer.ok and answer.body.get("trashed")):
            await self._begin_anew()
            raise Retry("the file was uploaded and then deleted in Drive; the next attempt uploads it again")
        if not answer.ok:
            self._fail(answer, "looking at the uploaded file")
        return answer.body

    async def _checked(self, file: dict[str, Any], *, already: bool) -> dict[str, Any]:
        if not file.get("sha256Checksum"):
            file = await self._existing()
        wrong, checked = await self._compare(file)
        if wrong:
            await self._discard()
            await self._begin_anew()
            raise Retry(f"Drive stored something else than was sent ({wrong}); it was deleted and is sent again")
        return {**file, "checked": checked, "already": already}

    async def _compare(self, file: dict[str, Any]) -> tuple[str, str]:
        media = self._media
        if str(file.get("size")) != str(media.size):
            return f"{file.get('size')} bytes instead of {media.size}", ""
        if file.get("sha256Checksum"):
            return ("another SHA-256", "") if file["sha256Checksum"] != media.sha256 else ("", "sha256")
        if file.get("md5Checksum"):
            return ("another MD5", "") if file["md5Checksum"] != await _md5(media) else ("", "md5")
        return "", "size"

    async def _discard(self) -> None:
        """Delete it for good, or where a role may not do that, put it in the trash."""
        path, query = f"/drive/v3/files/{self._id}", {"supportsAllDrives": "true"}
        answer = await self._api.call("DELETE", path, query=query)
        if answer.status == HTTPStatus.FORBIDDEN and not answer.passes():
            answer = await self._api.call("PATCH", path, query=query, body={"trashed": True})
        if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
            self._fail(answer, "deleting a damaged upload")

    async def _begin_anew(self) -> None:
        await self._notes.put(self._session_note, "")
        await self._notes.put(self._file_note, "")

    def _fail(self, answer: Answer, doing: str) -> None:
        todo = self._no_storage if answer.reason == "storageQuotaExceeded" else ""
        answer.fail(doing, self._api.account.now(), todo)


class _Source:
    """The file from any offset on, in one buffer of a piece. Forward is cheap; back means opening it again."""

    def __init__(self, media: MediaFile, chunk: int) -> None:
        self._media = media
        self._buffer = memoryview(bytearray(min(chunk, media.size)))
        self._start, self._filled = 0, 0
        self._rest = memoryview(b"")
        self._chunks: AsyncIterator[bytes] | None = None
        self._open = contextlib.AsyncExitStack()

    async def read(self, offset: int) -> memoryview:
        """A piece from ``offset``, good until the next is read; shorter only at the end. Raises :class:`Retry` if
        the file is shorter than it should be."""
        if self._chunks is None or offset < self._start:
            await self._reopen()
        self._forget(offset)
        wanted = min(len(self._buffer), self._media.size - offset)
        while self._start < offset or self._filled < wanted:
            await self._refill()
            if self._start < offset:
                skipped = min(len(self._rest), offset - self._start)
                self._rest, self._start = self._rest[skipped:], self._start + skipped
            else:
                taken = min(len(self._rest), len(self._buffer) - self._filled)
                self._buffer[self._filled : self._filled + taken] = self._rest[:taken]
                self._rest, self._filled = self._rest[taken:], self._filled + taken
        return self._buffer[:wanted]

    def _forget(self, offset: int) -> None:
        """What lies before ``offset``, and keep what lies behind it: Google may have stored a part of a piece."""
        gone = min(self._filled, offset - self._start)
        self._buffer[: self._filled - gone] = self._buffer[gone : self._filled]
        self._filled, self._start = self._filled - gone, self._start + gone

    async def _refill(self) -> None:
        assert self._chunks is not None
        if not self._rest:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                raise Retry(f"the stored file is shorter than the {self._media.size} bytes that it should have")
            self._rest = memoryview(chunk)

    async def _reopen(self) -> None:
        await self.aclose()
        self._start, self._filled, self._rest = 0, 0, memoryview(b"")
        self._chunks = await self._open.enter_async_context(self._media.open())

    async def aclose(self) -> None:
        await self._open.aclose()
        self._chunks = None


async def _slices(piece: memoryview) -> AsyncIterator[bytes]:
    """A piece as a stream: a request that held it whole would keep it until the garbage collector comes by."""
    for start in range(0, len(piece), SLICE):
        yield bytes(piece[start : start + SLICE])


def _stored(answer: Answer) -> int:
    """Bytes that Drive has: ``Range: bytes=0-k`` means k + 1, no ``Range`` means none."""
    last = answer.headers.get("range", "").rpartition("-")[2]
    return int(last) + 1 if last.isascii() and last.isdigit() else 0


async def _md5(media: MediaFile) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    async with media.open() as chunks:
        async for chunk in chunks:
            digest.update(chunk)
    return digest.hexdigest()
