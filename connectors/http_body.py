"""What an ``http`` request carries: JSON, a form, text, or the finished file itself as it streams from the store."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlencode

import msgspec

from .base import MediaFile, Reject

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Body:
    """A body that can be sent again for each hop. ``whole`` is ``None`` for one that streams a file."""

    kind: str
    """Its content type."""
    size: int
    whole: bytes | None
    before: bytes = b""
    media: MediaFile | None = None
    after: bytes = b""

    def stream(self) -> bytes | AsyncIterator[bytes]:
        """The bytes to send; each call begins anew."""
        return self.whole if self.whole is not None else self._stream()

    async def _stream(self) -> AsyncIterator[bytes]:
        assert self.media is not None, "a body without a whole has a file"
        yield self.before
        async with self.media.open() as chunks:
            async for chunk in chunks:
                yield chunk
        yield self.after


def as_json(value: Any) -> Body:
    """JSON; prices keep their digits."""
    whole = _encode(value)
    return Body("application/json; charset=utf-8", len(whole), whole)


def as_text(text: str) -> Body:
    """Text as it stands."""
    whole = text.encode()
    return Body("text/plain; charset=utf-8", len(whole), whole)


def as_form(fields: Mapping[str, Any]) -> Body:
    """``application/x-www-form-urlencoded``; a list gives its name several times."""
    whole = urlencode([(name, text) for name, value in fields.items() for text in _texts(value)]).encode()
    return Body("application/x-www-form-urlencoded", len(whole), whole)


def as_file(media: MediaFile) -> Body:
    """The file, and nothing else."""
    return Body(media.mime_type, media.size, None, media=media)


def as_multipart(fields: Mapping[str, Any], name: str, media: MediaFile, key: str) -> Body:
    """``multipart/form-data`` with the file as field ``name``. The same ``key`` gives the same bytes again."""
    boundary = f"beatrelay-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    parts = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(field)}"\r\n\r\n{text}\r\n'
        for field, value in fields.items()
        for text in _texts(value)
    ]
    parts.append(
        f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"; filename="{_quoted(media.name)}"\r\n'
        f"content-type: {media.mime_type}\r\n\r\n"
    )
    before, after = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    size = len(before) + media.size + len(after)
    return Body(f"multipart/form-data; boundary={boundary}", size, None, before, media, after)


def _texts(value: Any) -> list[str]:
    """A field's value as people write it; raises :class:`Reject` for what a form has no words for."""
    if isinstance(value, list | tuple):
        return [text for one in cast("list[Any]", value) for text in _texts(one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if value is None:
        return [""]
    if isinstance(value, str | int | float | Decimal):
        return [str(value)]
    raise Reject("a form's field holds a mapping; a form has only text, numbers and lists: use `body:` for JSON")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
