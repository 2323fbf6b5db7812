"""A file on its way to the provider: spooled to disk in bounded memory, looked at, and only then sent on.

The provider wants to know the length before the first byte, and a client may not say it; and nothing that is surely
refused there should travel at all. So a file lies in a temporary folder while it is here.
"""

import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from relay.contract.files import AUDIO, HEAD_BYTES, FileRules, ending_of, type_of
from relay.contract.rules import Violation

from .audio import seconds_of

FIELD_BYTES = 1024
"""Longest value of a form's field that is not the file."""


class Unfit(Exception):
    """The upload breaks rules; ``violations`` names them."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(map(str, violations)))
        self.violations = violations


class Spooled(Struct):
    """A file on our disk, checked."""

    path: Path
    name: str
    mime: str
    size: int
    seconds: float | None = None


@contextmanager
def spool(folder: Path) -> Generator[Path]:
    """A path for one file, gone afterwards whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        yield Path(inside) / "upload"


async def receive(
    chunks: AsyncIterator[bytes], content_type: tuple[str, dict[str, str]], path: Path, rules: FileRules
) -> Spooled:
    """Write the file of an upload (a form with the field ``file``, or the bare bytes) to ``path`` and check it.
    ``content_type`` is the request's, with its parameters. Raises :class:`Unfit`."""
    declared, options = content_type
    name = ""
    async with await anyio.open_file(path, "wb") as target:
        writer = _Writer(target, rules)
        if declared == "multipart/form-data":
            part = await _read_form(chunks, options.get("boundary", ""), writer)
            name, declared = part.filename or "", part.content_type or ""
        else:
            async for chunk in chunks:
                await writer.add(chunk)
    return await _checked(Spooled(path, name, type_of(writer.head, name, declared), writer.size), rules)


class _Writer:
    """Writes as far as the largest file may go, and keeps the first bytes."""

    def __init__(self, target: Any, rules: FileRules) -> None:
        self._target, self._most = target, rules.largest
        self.size, self.head = 0, b""

    async def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._most:
            raise Unfit(_too_large(f"more than {self._most}", self._most))
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(chunk[: HEAD_BYTES - len(self.head)])
        await self._target.write(chunk)


class _Form:
    """The form's file, written as it comes; all other fields are short."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer
        self._part: MultipartSegment | None = None
        self.file: MultipartSegment | None = None
        self.fields: dict[str, bytes] = {}

    async def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """One event of the parser."""
        if isinstance(event, MultipartSegment):
            self._part = event
            if event.name == "file" and self.file is None:
                self.file = event
        elif event is not None and self._part is not None:
            if self._part is self.file:
                await self._writer.add(bytes(event))
            else:
                self._keep(self._part.name or "", event)

    def _keep(self, name: str, more: bytes | bytearray) -> None:
        value = self.fields[name] = self.fields.get(name, b"") + more
        if len(value) > FIELD_BYTES:
            raise Unfit(Violation(name[:80], None, f"must have at most {FIELD_BYTES} bytes; only `file` may be a file"))

    def checked(self) -> MultipartSegment:
        """The file's part."""
        purpose = self.fields.get("purpose", b"input")
        if purpose != b"input":
            raise Unfit(Violation("purpose", purpose.decode("utf-8", "replace"), "must be input, or left out"))
        if self.file is None:
            raise Unfit(Violation("file", None, "is required: a form with a file in the field `file`"))
        return self.file


async def _read_form(chunks: AsyncIterator[bytes], boundary: str, writer: _Writer) -> MultipartSegment:
    form = _Form(writer)
    try:
        with PushMultipartParser(boundary, max_segment_count=16) as parser:
            async for chunk in chunks:
                for event in parser.parse(chunk) if chunk else ():
                    await form.take(event)
    except (MultipartError, ValueError) as error:
        raise Unfit(Violation("body", None, f"must be a whole multipart form: {error}")) from error
    return form.checked()


async def _checked(file: Spooled, rules: FileRules) -> Spooled:
    if file.size == 0:
        raise Unfit(Violation("file", None, "must not be empty"))
    if file.mime not in rules.most_bytes:
        endings = ", ".join(filter(None, map(ending_of, rules.most_bytes)))
        raise Unfit(Violation("file", file.mime or "unknown", f"must be one of {endings}; its bytes count first"))
    most = rules.most_bytes[file.mime]
    if file.size > most:
        raise Unfit(_too_large(file.size, most))
    if file.mime in AUDIO:
        file.seconds = await anyio.to_thread.run_sync(seconds_of, file.path, file.mime)
        if wrong := plays_wrong("file", file.seconds, rules):
            raise Unfit(wrong)
    return file


def plays_wrong(field: str, seconds: float | None, rules: FileRules) -> Violation | None:
    """What is wrong with how long audio plays; a length that nobody could tell is left to the provider."""
    least, most = rules.audio_seconds
    if seconds is None or least <= seconds <= most:
        return None
    return Violation(field, round(seconds, 2), f"must play {least} to {most} seconds; it plays {seconds:.1f}")


def _too_large(size: object, most: int) -> Violation:
    return Violation("file", size, f"must have at most {most} bytes")
